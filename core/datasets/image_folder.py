"""A folder with a folder of images for each class, as `folder:PATH`: what `zip_folder` reads, but not packed."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from core.datasets.cache import cached
from core.datasets.dataset import Dataset
from core.datasets.source import Description, Progress, own_images
from core.datasets.zip_folder import decode
from core.datasets.zip_folder.archive import LARGEST_MEMBER, LARGEST_MEMBER_COUNT
from core.datasets.zip_folder.names import (
    BEGINNING_LENGTH,
    begins_like_image,
    canonical,
    distinct,
    is_image_name,
    is_litter,
)
from core.errors import InputError

_RULES = "folder-2"  # raise its number when decoding or splitting changes: the fingerprint must tell


class FolderImages:
    """The image files below a folder, with the face of `zip_folder.archive.Archive`.

    Folders that are links are not entered, so that none of them leads in a circle; they are in `left_out`.

    Attributes
    ----------
    images, left_out
        Names in canonical form; see `zip_folder.files.ImageFiles`.

    Raises
    ------
    InputError
        The folder is missing or cannot be read, or holds too many files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir():
            raise InputError(f"The folder {path} is not there: check its path.")
        self._files: dict[str, Path] = {}
        self.left_out: list[str] = []
        for folder, folders, files in os.walk(path):
            folders.sort()
            links = [inside for inside in folders if (Path(folder) / inside).is_symlink()]
            for file in (*sorted(files), *links):
                self._add(Path(folder) / file)
            if len(self._files) + len(self.left_out) > LARGEST_MEMBER_COUNT:
                raise InputError(f"{path.name} holds more than {LARGEST_MEMBER_COUNT} files: give a smaller folder.")
        self.images = sorted(self._files)

    def _add(self, file: Path) -> None:
        name = canonical(file.relative_to(self.path).as_posix())
        if is_litter(name):
            return
        if not file.is_dir() and (is_image_name(name) or _begins_like_image(file)):
            self._files[distinct(name, self._files)] = file
        else:
            self.left_out.append(name)

    def read(self, name: str) -> bytes:
        """Return the content of one image file."""
        path = self._files[name]
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


def _begins_like_image(path: Path) -> bool:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return begins_like_image(file.read(BEGINNING_LENGTH))
    except OSError:
        return False


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
        with suppress(InputError):  # what cannot be read is named with all others like it, when images are decoded
            digest.update(hashlib.sha256(folder.read(name)).digest())
    return f"{_RULES}-{digest.hexdigest()[:16]}"


def load(name: str, path: Path, data_root: Path, progress: Progress) -> Dataset:
    """Decode the images, or read them as they were decoded the last time."""
    folder = FolderImages(path)
    mark = _fingerprint(folder)
    return cached(data_root / "zip-cache" / f"{mark}.npz", name, mark, lambda: decode(name, folder, mark, progress))
