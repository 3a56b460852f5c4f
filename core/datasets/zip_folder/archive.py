"""Reading a ZIP file that nobody vouches for. Nothing is ever extracted to disk."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from pathlib import Path
from types import TracebackType

from core.datasets.zip_folder.names import (
    BEGINNING_LENGTH,
    begins_like_image,
    canonical,
    distinct,
    is_image_name,
    is_litter,
    shortened,
)
from core.errors import InputError
from core.files import directory_length

LARGEST_MEMBER_COUNT = 200_000
LONGEST_NAME = 400
LARGEST_MEMBER = 256 * 2**20
LARGEST_TOTAL = 16 * 2**30
_LARGEST_DIRECTORY = LARGEST_MEMBER_COUNT * 512
_UTF8_FLAG = 0x800


class Archive:
    """The image files in a ZIP, checked before anything is read.

    `read` may be called from several threads.

    Attributes
    ----------
    images
        Their names in canonical form, sorted.
    left_out
        Names of the other files; what computers leave behind (`__MACOSX`, dot files) is in neither.

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
        self.left_out: list[str] = []
        try:
            self._members = self._checked(self._zip.infolist())
        except InputError:
            self._zip.close()
            raise
        self.images = sorted(self._members)
        self.left_out.sort()

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
        images: dict[str, zipfile.ZipInfo] = {}
        for member in {member.filename: member for member in members}.values():  # a name's last file is the valid one
            raw = _decoded_name(member)
            self._check_safe(member, raw)
            name = canonical(raw)
            if member.is_dir() or is_litter(name):
                continue
            if is_image_name(name) or self._begins_like_image(member):
                self._check_name(name)
                images[distinct(name, images)] = member
            else:
                self.left_out.append(name)
        self._check_sizes(images)
        return images

    def _begins_like_image(self, member: zipfile.ZipInfo) -> bool:
        try:
            with self._zip.open(member) as file:
                return begins_like_image(file.read(BEGINNING_LENGTH))
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError):
            return False  # damaged, and no picture by its name

    def _check_safe(self, member: zipfile.ZipInfo, name: str) -> None:
        archive, name = self.path.name, name.replace("\\", "/")
        if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
            raise InputError(
                f"{archive} holds '{shortened(name)}', a name that leads out of the ZIP: make the ZIP again."
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            raise InputError(f"{archive} holds the link '{shortened(name)}': put the file itself in its place.")
        if member.flag_bits & 0x1:
            raise InputError(f"{archive} is encrypted: make the ZIP again without a password.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(f"{archive} is packed in an unusual way: make the ZIP again with ordinary compression.")

    def _check_name(self, name: str) -> None:
        if not name.isprintable():
            raise InputError(
                f"{self.path.name} holds '{shortened(name)}', a name with unprintable characters: rename that file."
            )
        if len(name) > LONGEST_NAME:
            raise InputError(
                f"{self.path.name} holds '{shortened(name)}', a name of {len(name)} characters: make it shorter."
            )

    def _check_sizes(self, images: dict[str, zipfile.ZipInfo]) -> None:
        for name, member in images.items():
            if member.file_size > LARGEST_MEMBER:
                raise InputError(
                    f"'{shortened(name)}' in {self.path.name} unpacks to {member.file_size >> 20} MB: one image "
                    f"may have at most {LARGEST_MEMBER >> 20} MB, so reduce it."
                )
        total = sum(member.file_size for member in images.values())
        if total > LARGEST_TOTAL:
            raise InputError(
                f"{self.path.name} unpacks to {total >> 30} GB of images: at most {LARGEST_TOTAL >> 30} GB are "
                "expected, so give smaller or fewer images."
            )


def _decoded_name(member: zipfile.ZipInfo) -> str:
    """Return a member's name; where no character set is given, as UTF-8 if it can be that, as macOS writes it.

    zipfile takes a name without the flag for code page 437, of which all bytes are letters; text in another code page
    is hardly ever valid UTF-8 by chance.
    """
    if member.flag_bits & _UTF8_FLAG:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


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
