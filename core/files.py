"""Files that are whole or not there, whatever happens meanwhile, and what to tell people when the disk refuses."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from core.errors import InputError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = _FULL | {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.EFBIG}


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that readers see all of it or what was there before, even when the power fails in between.

    What cannot be written leaves nothing; a writer that is killed leaves a file whose name ends in ".new".

    Raises
    ------
    OSError
        The disk is full, or the folder cannot be written.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with partial.open("wb") as file:
            file.write(content)
            settle(file.fileno())
        partial.replace(path)
    except OSError:
        # What is left of it would take the room that a full disk lacks.
        if partial.exists():
            partial.unlink()
        raise


def settle(file: int) -> None:
    """Have the disk keep what was written to an open file: only then may another file that relies on it appear."""
    os.fsync(file)


def is_refusal(error: BaseException) -> bool:
    """Say whether this is the disk or the folder that refuses, rather than a mistake."""
    return isinstance(error, OSError) and error.errno in _REFUSED


def refusal(error: OSError, folder: Path) -> InputError:
    """Return in one sentence why nothing can be stored in a folder, and what to do."""
    if error.errno in _FULL:
        return InputError(
            f"The disk that holds {folder} is full: free some space there, then start the training again."
        )
    return InputError(
        f"{folder} cannot be written ({error.strerror or error}): make it writable, or name another folder with --runs "
        "or TRIGGERSCOPE_RUNS."
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
