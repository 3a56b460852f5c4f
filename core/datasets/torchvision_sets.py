"""MNIST and Fashion-MNIST, from where torchvision fetches them and in the folders where it keeps them.

The IDX files are read here rather than by torchvision: that spares the second that importing it takes, and a damaged
file is noticed and fetched again. torchvision itself is asked only for the addresses and checksums.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.client
import struct
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from core.datasets.dataset import Dataset, Split
from core.datasets.source import Description, Progress, downloaded
from core.errors import InputError
from core.files import whole_file

if TYPE_CHECKING:
    import numpy as np

_LARGEST_ARCHIVE = 64 * 2**20
_SECONDS_OF_SILENCE = 15


def _load(folder: str, description: Description, fingerprint: str, data_root: Path, progress: Progress) -> Dataset:
    """Read the four files, fetching those that are missing or damaged."""
    import torch

    raw = data_root / folder / "raw"
    steps = [(split, kind) for split in ("train", "t10k") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    arrays = {}
    for done, (split, kind) in enumerate(steps):
        path = raw / f"{split}-{kind}"
        array = _read_idx(path)
        if array is None:
            _fetch(path, folder, description.title, lambda share, text, done=done: progress((done + share) / 4, text))
            array = _read_idx(path)
        if array is None:
            raise InputError(
                f"{path} is no IDX file as {description.title} has it: delete it to have it fetched again."
            )
        arrays[split, kind] = array
    splits = {}
    for split in ("train", "t10k"):
        images, labels = arrays[split, "images-idx3-ubyte"], arrays[split, "labels-idx1-ubyte"]
        if images.ndim != 3 or labels.shape != images.shape[:1] or not len(labels) or labels.max() > 9:
            raise InputError(
                f"The {split} images and labels in {raw} do not belong together: delete both to have them fetched "
                "again."
            )
        splits[split] = Split(torch.from_numpy(images[:, None]), torch.from_numpy(labels.astype("int64")))
    return Dataset(description.name, description.classes or (), splits["train"], splits["t10k"], fingerprint)


def _read_idx(path: Path) -> np.ndarray | None:
    """The uint8 array in an IDX file, or None where the file is missing or not as long as its header says."""
    import numpy as np

    try:
        content = bytearray(path.read_bytes())
    except OSError:
        return None
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        return None
    dimensions = content[3]
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    if functools.reduce(lambda product, length: product * length, shape, 1) != len(values):
        return None
    return values.reshape(shape)


def _fetch(path: Path, folder: str, title: str, progress: Progress) -> None:
    """Unpack `path` from the archive beside it, if somebody put one there, or else from the first mirror that works."""
    from torchvision import datasets

    published = getattr(datasets, folder)
    archive = path.with_name(f"{path.name}.gz")
    checksum = dict(published.resources)[archive.name]
    packed = archive.read_bytes() if archive.is_file() else b""
    if not _is_intact(packed, checksum):
        urls = [mirror + archive.name for mirror in published.mirrors]
        packed = _download(urls, checksum, path, lambda share: progress(share, f"Downloading {title}: {archive.name}"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(gzip.decompress(packed))
    except OSError as error:
        raise InputError(
            f"{path.name} could not be stored in {path.parent} ({error.strerror}): choose a data folder that can be "
            "written, with room for 60 MB."
        ) from error


def _download(urls: list[str], checksum: str, path: Path, progress: Callable[[float], None]) -> bytes:
    """Fetch the archive of `path` into memory, from the first address that gives what its checksum says."""
    failures = []
    for url in urls:
        host = urlsplit(url).hostname or url
        try:
            packed = _receive(url, progress)
        except (OSError, ValueError, http.client.HTTPException) as error:
            failures.append(f"{host}: {getattr(error, 'reason', None) or error}")
            continue
        if _is_intact(packed, checksum):
            return packed
        failures.append(f"{host}: wrong checksum")
    raise InputError(
        f"{path.name}.gz could not be fetched ({'; '.join(failures)}): connect to the network, or put it and its three "
        f"companions into {path.parent} by hand, or use digits or signs, which work offline."
    )


def _receive(url: str, progress: Callable[[float], None]) -> bytes:
    """Everything at `url`, up to a sensible size."""
    with urllib.request.urlopen(url, timeout=_SECONDS_OF_SILENCE) as response:
        expected = int(response.headers.get("Content-Length") or 0)
        received = bytearray()
        while chunk := response.read(2**18):
            received += chunk
            if len(received) > _LARGEST_ARCHIVE:
                raise ValueError("the answer is far too long")
            progress(min(1.0, len(received) / expected) if expected else 0.0)
    return bytes(received)


def _is_intact(packed: bytes, checksum: str) -> bool:
    return hashlib.md5(packed, usedforsecurity=False).hexdigest() == checksum


_DESCRIPTIONS = {
    "MNIST": Description(
        name="mnist",
        title="MNIST",
        sentence="Handwritten digits, 28x28 grey pixels: the classic of image classification.",
        classes=tuple("0123456789"),
        shape=(1, 28, 28),
        train_size=60_000,
        test_size=10_000,
        origin="Y. LeCun, C. Cortes and C. Burges, from NIST's Special Databases 1 and 3",
        licence="CC BY-SA 3.0",
    ),
    "FashionMNIST": Description(
        name="fashion-mnist",
        title="Fashion-MNIST",
        sentence="Clothes, shoes and bags from a shop's catalogue, 28x28 grey pixels; harder than digits.",
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        shape=(1, 28, 28),
        train_size=60_000,
        test_size=10_000,
        origin="H. Xiao, K. Rasul and R. Vollgraf, Zalando Research",
        licence="MIT",
    ),
}
"""Name of torchvision's class and of its folder -> what can be said of the set."""

SOURCES = tuple(downloaded(functools.partial(_load, folder), said) for folder, said in _DESCRIPTIONS.items())
