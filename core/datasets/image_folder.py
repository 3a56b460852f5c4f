"""A folder with a folder of images for each class, as `folder:PATH`: what `zip_folder` reads, but not packed."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from core.datasets.cache import cached
from core.datasets.dataset import Dataset, Split
from core.datasets.source import Description, Progress, own_images
from core.datasets.zip_folder.archive import LARGEST_MEMBER, LARGEST_MEMBER_COUNT, is_image_name
from core.datasets.zip_folder.layout import read_layout
from core.errors import InputError

_RULES = "folder"  # rename when decoding or splitting changes: the fingerprint must tell


class FolderImages:
    """The image files below a folder, with the face of `zip_folder.archive.Archive`.

    Folders that are links are not entered, so that none of them leads in a circle.

    Raises
    ------
    InputError
        The folder is missing or cannot be read, or holds too many files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir():
            raise InputError(f"The folder {path} is not there: check its path.")
        names = []
        for folder, _, files in os.walk(path):
            inside = Path(folder).relative_to(path)
            names += [(inside / file).as_posix() for file in files]
            if len(names) > LARGEST_MEMBER_COUNT:
                raise InputError(f"{path.name} holds more than {LARGEST_MEMBER_COUNT} files: give a smaller folder.")
        self.images = sorted(name for name in names if is_image_name(name))

    def read(self, name: str) -> bytes:
        """Return the content of one image file."""
        path = self.path / name
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise InputError(f"'{name}' in {self.path.name} is no plain file: remove it.")
            if not 0 < found.st_size <= LARGEST_MEMBER:
                raise InputError(
                    f"'{name}' in {self.path.name} has {found.st_size} bytes; an image has at least 1 and at most "
                    f"{LARGEST_MEMBER >> 20} MB: replace or remove it."
                )
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"'{name}' in {self.path.name} can't be read ({error.strerror}): remove it.") from None


def describe(name: str, path: Path) -> Description:
    """What can be said without looking into the folder."""
    return own_images(name, path)


def fingerprint(path: Path) -> str:
    """`folder-` and 16 hexadecimal digits of the SHA-256 of all images with their names; each file is read once."""
    return _fingerprint(FolderImages(path))


def _fingerprint(folder: FolderImages) -> str:
    digest = hashlib.sha256()
    for name in folder.images:
        digest.update(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
        digest.update(hashlib.sha256(folder.read(name)).digest())
    return f"{_RULES}-{digest.hexdigest()[:16]}"


def load(name: str, path: Path, data_root: Path, progress: Progress) -> Dataset:
    """Decode the images, or read them as they were decoded the last time."""
    folder = FolderImages(path)
    mark = _fingerprint(folder)
    return cached(data_root / "zip-cache" / f"{mark}.npz", name, mark, lambda: _decode(name, folder, mark, progress))


def _decode(name: str, folder: FolderImages, mark: str, progress: Progress) -> Dataset:
    import torch

    from core.datasets.zip_folder.pictures import read_pictures

    text = f"Decoding {folder.path.name}"
    layout = read_layout(folder.images, folder.path.name)
    members = [member for member, _ in layout.train + layout.test]
    images = read_pictures(folder, members, lambda share: progress(share, text))
    progress(1.0, text)
    labels = torch.tensor([label for _, label in layout.train + layout.test], dtype=torch.int64)
    counts = [len(layout.train), len(layout.test)]
    train, test = map(Split, torch.from_numpy(images).split(counts), labels.split(counts))
    return Dataset(name, layout.classes, train, test, mark)
