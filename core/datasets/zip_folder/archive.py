"""Reading a ZIP file that nobody vouches for. Nothing is ever extracted to disk."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from pathlib import Path
from types import TracebackType

from core.errors import InputError
from core.files import directory_length

LARGEST_MEMBER_COUNT = 200_000
LONGEST_NAME = 400
LARGEST_MEMBER = 256 * 2**20
LARGEST_TOTAL = 16 * 2**30
_LARGEST_DIRECTORY = LARGEST_MEMBER_COUNT * 512
_IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")


class Archive:
    """The image files in a ZIP, checked before anything is read.

    `images` lists their names, sorted, with forward slashes; what computers leave behind (`__MACOSX`, dot files) and
    files of other kinds are not in it. `read` may be called from several threads.

    Raises
    ------
    InputError
        If the file is missing or no ZIP, or if it is encrypted, oversized, or holds links or names that lead out of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _check_directory_size(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise InputError(f"{path} can't be read as a ZIP file ({error}): give a ZIP of image folders.") from error
        try:
            self._members = self._checked(self._zip.infolist())
        except InputError:
            self._zip.close()
            raise
        self.images = sorted(self._members)

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        """The content of one image file, never more of it than the directory declares."""
        member = self._members[name]
        if member.file_size == 0:
            raise InputError(f"'{name}' in {self.path.name} is empty (0 bytes): remove it or replace it by an image.")
        try:
            with self._zip.open(member) as file:
                content = file.read(member.file_size + 1)
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            raise InputError(f"'{name}' in {self.path.name} is damaged ({error}): make the ZIP again.") from error
        if len(content) != member.file_size:
            raise InputError(f"'{name}' in {self.path.name} is not as long as it claims to be: make the ZIP again.")
        return content

    def _checked(self, members: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        if len(members) > LARGEST_MEMBER_COUNT:
            raise InputError(_too_many(self.path))
        images = {}
        for member in members:
            name = member.filename.replace("\\", "/")
            self._check_kind(member, name)
            name = "/".join(part for part in name.split("/") if part not in ("", "."))
            if not member.is_dir() and is_image_name(name):
                images[name] = member
        self._check_sizes(images)
        return images

    def _check_kind(self, member: zipfile.ZipInfo, name: str) -> None:
        archive = self.path.name
        if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
            raise InputError(f"{archive} holds '{_short(name)}', a name that leads out of the ZIP: make the ZIP again.")
        if not name.isprintable():
            raise InputError(f"{archive} holds {_short(name)!r}, a name with unprintable characters: rename that file.")
        if len(name) > LONGEST_NAME:
            raise InputError(f"{archive} holds '{_short(name)}', a name of {len(name)} characters: make it shorter.")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise InputError(f"{archive} holds the link '{_short(name)}': put the file itself in its place.")
        if member.flag_bits & 0x1:
            raise InputError(f"{archive} is encrypted: make the ZIP again without a password.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(f"{archive} is packed in an unusual way: make the ZIP again with ordinary compression.")

    def _check_sizes(self, images: dict[str, zipfile.ZipInfo]) -> None:
        for name, member in images.items():
            if member.file_size > LARGEST_MEMBER:
                raise InputError(
                    f"'{_short(name)}' in {self.path.name} unpacks to {member.file_size >> 20} MB: one image "
                    f"may have at most {LARGEST_MEMBER >> 20} MB, so reduce it."
                )
        total = sum(member.file_size for member in images.values())
        if total > LARGEST_TOTAL:
            raise InputError(
                f"{self.path.name} unpacks to {total >> 30} GB of images: at most {LARGEST_TOTAL >> 30} GB are "
                "expected, so give smaller or fewer images."
            )


def is_image_name(name: str) -> bool:
    """Say whether this is the name of an image file, and not of what computers leave behind."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
    return not hidden and name.lower().endswith(_IMAGE_SUFFIXES)


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:50]}...{name[-25:]}"


def _too_many(path: Path) -> str:
    return f"{path.name} holds more than {LARGEST_MEMBER_COUNT} files: give a ZIP with fewer images."


def _check_directory_size(path: Path) -> None:
    """Refuse a list of members so long that merely reading it would fill the memory."""
    try:
        length = directory_length(path)
    except OSError as error:
        raise InputError(f"The ZIP file {path} can't be opened ({error.strerror}): check its path.") from error
    if length is None:
        raise InputError(f"{path} is no ZIP file, or only part of one: give a ZIP of image folders.")
    if length > _LARGEST_DIRECTORY:
        raise InputError(_too_many(path))
