"""A ZIP file with a folder of images for each class, as `zip:PATH`.

`archive` reads the file without trusting it, `names` and `splits` read names, `layout` finds classes and splits,
`pictures` decodes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.datasets.cache import cached
from core.datasets.dataset import Dataset, Split
from core.datasets.source import Description, Progress, own_images
from core.datasets.zip_folder.archive import Archive
from core.datasets.zip_folder.files import ImageFiles
from core.datasets.zip_folder.layout import read_layout
from core.datasets.zip_folder.names import left_out_in_words
from core.errors import InputError

_RULES = "zip-2"  # raise its number when decoding or splitting changes: the fingerprint must tell


def describe(name: str, path: Path) -> Description:
    """What can be said without opening the file."""
    return own_images(name, path)


def fingerprint(path: Path) -> str:
    """`zip-2-` and the first 16 hexadecimal digits of the file's SHA-256."""
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
    with Archive(path) as archive:
        return decode(name, archive, mark, progress)


def decode(name: str, files: ImageFiles, mark: str, progress: Progress) -> Dataset:
    """Make a data set of image files in class folders; `mark` is its fingerprint. See `load_dataset` for errors."""
    import torch

    from core.datasets.zip_folder.pictures import read_pictures

    text = f"Decoding {files.path.name}"
    layout = read_layout(files.images, files.path.name)
    members = [member for member, _ in layout.train + layout.test]
    images, notes = read_pictures(files, members, lambda share: progress(share, text))
    progress(1.0, text)
    labels = torch.tensor([label for _, label in layout.train + layout.test], dtype=torch.int64)
    counts = [len(layout.train), len(layout.test)]
    train, test = map(Split, torch.from_numpy(images).split(counts), labels.split(counts))
    return Dataset(name, layout.classes, train, test, mark, (*left_out_in_words(files.left_out), *layout.notes, *notes))
