"""Files that are whole or not there, what to say when the disk refuses, and ZIP files that nobody vouches for."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import struct
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import InputError, printable

PROJECT = Path(__file__).parents[1]
"""The folder that holds `core`, `dashboard` and `assets`."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = _FULL | {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.EFBIG}


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that appears at `path` whole, at the end, or not at all; its folder has to be there.

    Readers see all of it or what was there before, even when the power fails in between. What cannot be written leaves
    nothing; a writer that is killed leaves a file whose name ends in ".new".

    Raises
    ------
    OSError
        The disk is full, or the folder cannot be written.
    """
    # A name of its own: two threads, or processes of two machines, may write the same file at once.
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.new")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            settle(file.fileno())
        partial.replace(path)
    finally:
        # What is left of it would take the room that a full disk lacks.
        partial.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is at hand in one piece; see `whole_file`."""
    with whole_file(path) as file:
        file.write(content)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file in one piece; see `whole_file`."""
    write_whole(path, json.dumps(content, indent=1).encode())


def newest_first(paths: Iterable[Path]) -> list[Path]:
    """Return files by the time of their last change; those that were deleted meanwhile are left out."""
    changed = []
    for path in paths:
        with suppress(OSError):
            changed.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(changed, key=lambda entry: -entry[0])]


def settle(file: int) -> None:
    """Have the disk keep what was written to an open file: only then may another file that relies on it appear."""
    os.fsync(file)


def is_refusal(error: BaseException) -> bool:
    """Say whether this is the disk or the folder that refuses, rather than a mistake."""
    return isinstance(error, OSError) and error.errno in _REFUSED


def refusal(error: OSError, folder: Path, otherwise: str = "") -> InputError:
    """Return in one sentence why nothing can be stored in a folder, and what to do; `otherwise` ends that sentence."""
    if error.errno in _FULL:
        return InputError(f"The disk that holds {folder} is full: free some space there, then try again.")
    return InputError(
        f"{folder} cannot be written ({error.strerror or error}): see to it that it is there and can be "
        f"written{otherwise}."
    )


def is_held(lock: Path) -> bool:
    """Say whether a living process holds a lock file; False where there is none."""
    from filelock import FileLock, Timeout

    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # in a read-only copy nobody can hold it
        return False


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
        raise InputError(f"{archive} holds {printable(inner)!r}, a name that leads out of it: it is not read.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(f"{archive} holds the link {printable(inner)!r}: it is not read.")
    if member.flag_bits & 0x1 or member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise InputError(
            f"{archive} holds {printable(inner)!r} compressed or encrypted, which its program never does: it is not "
            "read."
        )


def disk_use(folder: Path) -> int:
    """Return how many bytes the files in a folder have."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except OSError:  # deleted meanwhile
            continue
    return total
