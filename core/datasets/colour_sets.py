"""CIFAR-10, SVHN and GTSRB, from where torchvision fetches them and in the files that it keeps.

What was decoded is kept beside them. Of torchvision only addresses and checksums are used: its reader of CIFAR-10
unpickles without a second look.
"""

from __future__ import annotations

import csv
import hashlib
import io
import pickle
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.datasets.cache import cached
from core.datasets.dataset import Dataset, Split
from core.datasets.fetching import fetch_file
from core.datasets.source import Description, Progress, downloaded
from core.errors import InputError

if TYPE_CHECKING:
    import numpy as np

Arrays = tuple["np.ndarray", "np.ndarray"]

_LARGEST = 400 * 2**20
# torchvision has these addresses and checksums inside a method, not where they can be asked for.
GTSRB_ADDRESS = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
GTSRB_FILES = {
    "GTSRB-Training_fixed.zip": "513f3c79a4c5141765e10e952eaa2478",
    "GTSRB_Final_Test_Images.zip": "c7e4e6327067d32654124b0fe9e82185",
    "GTSRB_Final_Test_GT.zip": "fe31e9c9270bbcd7b84b7f21a9d9d9e5",
}
GTSRB_SIDE = 32


def _cifar10(root: Path, progress: Progress) -> tuple[Arrays, Arrays]:
    from torchvision.datasets import CIFAR10

    archive = root / CIFAR10.filename
    if not (root / CIFAR10.base_folder / CIFAR10.test_list[0][0]).is_file():
        fetch_file(archive, CIFAR10.url, CIFAR10.tgz_md5, _LARGEST, _share(progress, "CIFAR-10", 0.0, 0.8))
    progress(0.8, "Reading CIFAR-10")

    def split(files: list[list[str]]) -> Arrays:
        import numpy as np

        batches = [_cifar10_batch(root, archive, CIFAR10.base_folder, name, checksum) for name, checksum in files]
        images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        return images, labels

    return split(CIFAR10.train_list), split(CIFAR10.test_list)


def _cifar10_batch(root: Path, archive: Path, folder: str, name: str, checksum: str) -> Arrays:
    """Return images and labels of one file, from the unpacked folder or from the archive."""
    import numpy as np

    content = _unpacked(root / folder / name) or _packed(archive, f"{folder}/{name}")
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != checksum:
        raise InputError(
            f"{name} of CIFAR-10 is not the published file: delete {root / folder} and {archive} to have it fetched "
            "again."
        )
    batch = _ArraysOnly(io.BytesIO(content), encoding="latin1").load()
    images = np.asarray(batch["data"], np.uint8).reshape(-1, 3, 32, 32)
    return images, np.asarray(batch["labels"], np.int64)


def _unpacked(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _packed(archive: Path, member: str) -> bytes:
    try:
        with tarfile.open(archive) as files:
            file = files.extractfile(member)
            return file.read() if file is not None else b""
    except (OSError, KeyError, tarfile.TarError, EOFError):
        raise InputError(f"{archive} holds no {member}: delete it to have it fetched again.") from None


class _ArraysOnly(pickle.Unpickler):
    """Reads dictionaries of numpy arrays, and nothing that could run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module.replace("numpy.core", "numpy._core"), name) in {
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise InputError(f"A file of CIFAR-10 asks for {module}.{name}, which no data needs: delete it.")


def _svhn(root: Path, progress: Progress) -> tuple[Arrays, Arrays]:
    from torchvision.datasets import SVHN

    def split(name: str, begin: float) -> Arrays:
        import numpy as np
        from scipy.io import loadmat

        url, file, checksum = SVHN.split_list[name]
        fetch_file(root / file, url, checksum, _LARGEST, _share(progress, f"SVHN: {file}", begin, begin + 0.4))
        content = loadmat(root / file)
        labels = content["y"].astype(np.int64).reshape(-1)
        labels[labels == 10] = 0  # the files count from 1 and call the digit 0 a ten
        return np.ascontiguousarray(content["X"].transpose(3, 2, 0, 1)), labels

    return split("train", 0.0), split("test", 0.4)


def _gtsrb(root: Path, progress: Progress) -> tuple[Arrays, Arrays]:
    folder = root / "gtsrb"
    for number, (file, checksum) in enumerate(GTSRB_FILES.items()):
        share = _share(progress, f"GTSRB: {file}", 0.2 * number, 0.2 * (number + 1))
        fetch_file(folder / file, GTSRB_ADDRESS + file, checksum, _LARGEST, share)
    training, testing, truth = (folder / file for file in GTSRB_FILES)
    train = _gtsrb_images(training, _label_by_folder, lambda share: progress(0.6 + 0.25 * share, "Decoding GTSRB"))
    labels = _gtsrb_truth(truth)
    test = _gtsrb_images(
        testing, lambda name: labels.get(Path(name).name), lambda share: progress(0.85 + 0.15 * share, "Decoding GTSRB")
    )
    return train, test


def _label_by_folder(name: str) -> int | None:
    folder = Path(name).parent.name
    return int(folder) if folder.isdecimal() else None


def _gtsrb_truth(path: Path) -> dict[str, int]:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".csv"))
        text = archive.read(name).decode()
    return {row["Filename"]: int(row["ClassId"]) for row in csv.DictReader(io.StringIO(text), delimiter=";")}


def _gtsrb_images(path: Path, label_of: Callable[[str], int | None], progress: Callable[[float], None]) -> Arrays:
    """Return the images of an archive brought to 32x32, as published work does, and their labels."""
    import numpy as np
    from PIL import Image

    from core.datasets.zip_folder.archive import Archive

    with Archive(path) as archive:
        known = [(name, label) for name in archive.images if (label := label_of(name)) is not None]
        images = np.empty((len(known), 3, GTSRB_SIDE, GTSRB_SIDE), np.uint8)
        for number, (name, _) in enumerate(known):
            with Image.open(io.BytesIO(archive.read(name)), formats=["PPM"]) as picture:
                small = picture.convert("RGB").resize((GTSRB_SIDE, GTSRB_SIDE), Image.Resampling.BILINEAR)
            images[number] = np.asarray(small).transpose(2, 0, 1)
            if number % 500 == 0:
                progress(number / len(known))
    return images, np.array([label for _, label in known], np.int64)


def _share(progress: Progress, what: str, begin: float, end: float) -> Callable[[float], None]:
    return lambda share: progress(begin + (end - begin) * share, f"Downloading {what}")


def _load(
    read: Callable[[Path, Progress], tuple[Arrays, Arrays]],
    description: Description,
    fingerprint: str,
    data_root: Path,
    progress: Progress,
) -> Dataset:
    import torch

    def make() -> Dataset:
        splits: list[Split] = []
        for images, labels in read(data_root, progress):
            if not len(labels) or len(images) != len(labels) or labels.max() >= len(description.classes or ()):
                raise InputError(
                    f"The files of {description.title} in {data_root} do not belong together: delete them."
                )
            splits.append(Split(torch.from_numpy(images), torch.from_numpy(labels)))
        progress(1.0, f"Reading {description.title}")
        train, test = splits
        return Dataset(description.name, description.classes or (), train, test, fingerprint)

    return cached(data_root / "decoded" / f"{fingerprint}.npz", description.name, fingerprint, make)


SOURCES = (
    downloaded(
        partial(_load, _cifar10),
        Description(
            name="cifar10",
            title="CIFAR-10",
            sentence="Animals and vehicles in colour, 32x32 pixels: the usual yardstick; wants a residual network.",
            classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
            shape=(3, 32, 32),
            train_size=50_000,
            test_size=10_000,
            origin="A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
            licence="none stated by its author",
            may_be_mirrored=True,
        ),
    ),
    downloaded(
        partial(_load, _svhn),
        Description(
            name="svhn",
            title="Street View House Numbers",
            sentence="Digits from photographed house numbers, 32x32 colour pixels, with neighbours at their sides.",
            classes=tuple("0123456789"),
            shape=(3, 32, 32),
            train_size=73_257,
            test_size=26_032,
            origin="Y. Netzer and others, Reading Digits in Natural Images, NIPS Workshop 2011",
            licence="for non-commercial use, says its site",
        ),
    ),
    downloaded(
        partial(_load, _gtsrb),
        Description(
            name="gtsrb",
            title="German traffic signs (GTSRB)",
            sentence="Photographed traffic signs of 43 kinds, brought to 32x32 colour pixels.",
            classes=(
                "speed limit 20", "speed limit 30", "speed limit 50", "speed limit 60", "speed limit 70",
                "speed limit 80", "end of speed limit 80", "speed limit 100", "speed limit 120", "no passing",
                "no passing for lorries", "right of way at the crossing", "priority road", "yield", "stop",
                "no vehicles", "no lorries", "no entry", "danger", "dangerous curve left", "dangerous curve right",
                "double curve", "bumpy road", "slippery road", "road narrows on the right", "road work",
                "traffic lights", "pedestrians", "children", "bicycles", "ice or snow", "wild animals",
                "end of all limits", "turn right ahead", "turn left ahead", "straight ahead", "straight or right",
                "straight or left", "keep right", "keep left", "roundabout", "end of no passing",
                "end of no passing for lorries",
            ),
            shape=(3, GTSRB_SIDE, GTSRB_SIDE),
            train_size=26_640,
            test_size=12_630,
            origin="J. Stallkamp and others, The German Traffic Sign Recognition Benchmark, IJCNN 2011",
            licence="as its authors say at benchmark.ini.rub.de",
        ),
    ),
)  # fmt: skip
