"""Files that are whole or not there, whatever happens meanwhile, and what to tell people when the disk refuses."""

from __future__ import annotations

import errno
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import InputError

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
    return [path for _, path in sorted(changed, key=lambda one: -one[0])]


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
