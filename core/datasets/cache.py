"""Files that are whole or not there, and data sets that took long to make kept in them as .npz."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from core.datasets.dataset import Dataset, Split


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
            classes = tuple(str(one) for one in arrays["classes"])
            train, test = (
                Split(torch.from_numpy(arrays[f"{split}_images"]), torch.from_numpy(arrays[f"{split}_labels"]))
                for split in ("train", "test")
            )
    except Exception:  # missing, or damaged in whatever way: then it is made again
        return None
    return Dataset(name, classes, train, test, fingerprint)


def _write(path: Path, dataset: Dataset) -> None:
    import numpy as np

    try:
        with whole_file(path) as file:
            np.savez(
                file,
                fingerprint=np.array(dataset.fingerprint),
                classes=np.array(dataset.classes),
                train_images=dataset.train.images.numpy(),
                train_labels=dataset.train.labels.numpy(),
                test_images=dataset.test.images.numpy(),
                test_labels=dataset.test.labels.numpy(),
            )
    except OSError:
        return  # a folder that can't be written, or a full disk, costs time and nothing else


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that appears at `path` whole, at the end, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("xb") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
