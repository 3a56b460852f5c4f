"""Data sets that took long to make, kept as .npz files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.datasets.dataset import Dataset, Split
from core.files import whole_file


def cached(path: Path, name: str, fingerprint: str, make: Callable[[], Dataset]) -> Dataset:
    """Read the data set at `path`; if there is none, or it is damaged or another one, make it and keep it there.

    Where the folder can't be written the data set is made anew each time.
    """
    kept = _read(path, name, fingerprint)
    if kept is not None:
        return kept
    dataset = make()
    _write(path, dataset)
    return dataset


def _read(path: Path, name: str, fingerprint: str) -> Dataset | None:
    import numpy as np
    import torch

    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if str(arrays["fingerprint"]) != fingerprint:
                return None
            classes = tuple(str(name) for name in arrays["classes"])
            notes = tuple(str(note) for note in arrays["notes"])
            train, test = (
                Split(torch.from_numpy(arrays[f"{split}_images"]), torch.from_numpy(arrays[f"{split}_labels"]))
                for split in ("train", "test")
            )
    except Exception:  # missing, or damaged in whatever way: then it is made again
        return None
    return Dataset(name, classes, train, test, fingerprint, notes)


def _write(path: Path, dataset: Dataset) -> None:
    import numpy as np

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            np.savez(
                file,
                fingerprint=np.array(dataset.fingerprint),
                classes=np.array(dataset.classes),
                notes=np.array(dataset.notes, np.str_),
                train_images=dataset.train.images.numpy(),
                train_labels=dataset.train.labels.numpy(),
                test_images=dataset.test.images.numpy(),
                test_labels=dataset.test.labels.numpy(),
            )
    except OSError:
        return  # a folder that can't be written, or a full disk, costs time and nothing else
