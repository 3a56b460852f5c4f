"""ZIP files that nobody vouches for: how long their list of members is, and archives whose members lie uncompressed."""

from __future__ import annotations

import re
import stat
import struct
import zipfile
from pathlib import Path

from core.errors import InputError


def directory_length(path: Path) -> int | None:
    """Return how many bytes the list of members claims to have; None if the file is no ZIP, or only part of one.

    Asked before anybody reads that list: one of 10^6 members would fill the memory. The record at the end of a ZIP
    (PKWARE's APPNOTE, 4.3.16) gives its length; a file too large for that record has one more before it (4.3.14 and
    4.3.15).

    Raises
    ------
    OSError
        The file cannot be opened.
    """
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(-min(file.tell(), 2**16 + 22 + 20 + 56), 1)
        tail = file.read()
    record = tail.rfind(b"PK\5\6")
    if record < 0 or len(tail) < record + 22:
        return None
    (length,) = struct.unpack_from("<I", tail, record + 12)
    larger = record - 20 - 56
    if larger >= 0 and tail.startswith(b"PK\6\6", larger):
        (length,) = struct.unpack_from("<Q", tail, larger + 40)
    return length


def stored_members(path: Path, most: int) -> dict[str, zipfile.ZipInfo]:
    """Return the members of an archive that holds them as they are: run archives, and what PyTorch writes.

    Since nothing is compressed, and no more bytes are promised than the file has, it can be no bomb.

    Parameters
    ----------
    path
        The file.
    most
        How many members are expected at most.

    Raises
    ------
    InputError
        The file cannot be opened, or is no whole ZIP; there are more members, or two of one name; one is compressed,
        encrypted, a link, or has a name that leads out of the archive.
    """
    name = path.name
    try:
        length = directory_length(path)
        if length is None:
            raise InputError(f"{name} is no ZIP file, or only part of one: copy the whole file again.")
        if length > most * 512:
            raise InputError(f"{name} holds more than {most} files: it was not written by the program it names.")
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        size = path.stat().st_size
    except (FileNotFoundError, PermissionError) as error:
        raise InputError(f"{path} can't be opened ({error.strerror}): check its path.") from None
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} can't be read as a ZIP file ({error}): copy the whole file again.") from None
    if len(members) > most:
        raise InputError(f"{name} holds more than {most} files: it was not written by the program it names.")
    for member in members:
        _check_member(member, name)
    if len({member.filename for member in members}) < len(members):
        raise InputError(f"{name} holds two files of one name: it is not what its program writes, so it is not read.")
    if sum(member.file_size for member in members) > size:
        raise InputError(f"{name} promises more bytes than it has: copy the whole file again.")
    return {member.filename: member for member in members}


def _check_member(member: zipfile.ZipInfo, archive: str) -> None:
    inner = member.filename.replace("\\", "/")
    if inner.startswith("/") or re.match(r"[A-Za-z]:", inner) or ".." in inner.split("/") or not inner.isprintable():
        raise InputError(f"{archive} holds {inner[:60]!r}, a name that leads out of it: it is not read.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(f"{archive} holds the link {inner[:60]!r}: it is not read.")
    if member.flag_bits & 0x1 or member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise InputError(
            f"{archive} holds {inner[:60]!r} compressed or encrypted, which its program never does: it is not read."
        )
