"""A ZIP file with a folder of images for each class, as `zip:PATH`.

`archive` reads the file without trusting it, `layout` finds classes and splits, `pictures` decodes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.datasets.cache import cached
from core.datasets.dataset import Dataset, Split
from core.datasets.source import Description, Progress, own_images
from core.datasets.zip_folder.archive import Archive
from core.datasets.zip_folder.layout import read_layout
from core.errors import InputError

_RULES = "zip"  # rename when decoding or splitting changes: the fingerprint must tell


def describe(name: str, path: Path) -> Description:
    """What can be said without opening the file."""
    return own_images(name, path)


def fingerprint(path: Path) -> str:
    """`zip-` and the first 16 hexadecimal digits of the file's SHA-256."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"The ZIP file {path} can't be opened ({error.strerror}): check its path.") from error
    return f"{_RULES}-{digest[:16]}"


def load(name: str, path: Path, data_root: Path, progress: Progress) -> Dataset:
    """Decode the images, or read them as they were decoded the last time."""
    mark = fingerprint(path)
    return cached(data_root / "zip-cache" / f"{mark}.npz", name, mark, lambda: _decode(name, path, mark, progress))


def _decode(name: str, path: Path, mark: str, progress: Progress) -> Dataset:
    import torch

    from core.datasets.zip_folder.pictures import read_pictures

    with Archive(path) as archive:
        layout = read_layout(archive.images, path.name)
        members = [member for member, _ in layout.train + layout.test]
        images = read_pictures(archive, members, lambda share: progress(share, f"Decoding {path.name}"))
    progress(1.0, f"Decoding {path.name}")
    labels = torch.tensor([label for _, label in layout.train + layout.test], dtype=torch.int64)
    counts = [len(layout.train), len(layout.test)]
    train, test = map(Split, torch.from_numpy(images).split(counts), labels.split(counts))
    return Dataset(name, layout.classes, train, test, mark)
