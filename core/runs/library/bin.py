"""Deleted runs: they wait in `.bin/TIME-RUN` until they are restored or removed for good."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from core.files import disk_use, refusal
from core.runs.root import RUN_NAME, runs_root
from core.runs.run import Run, State


@dataclass(frozen=True)
class Deleted:
    """A run in the bin: the folder that it waits in, its name, and when it was deleted (seconds since 1970)."""

    path: Path
    name: str
    when: float


def _bin(root: Path | str | None) -> Path:
    return runs_root(root) / ".bin"


def delete_run(run: Run, now: float | None = None) -> Deleted:
    """Move a run into the bin beside it.

    Raises
    ------
    InputError
        It is being computed or waits for that, or the folder cannot be written.
    """
    if run.state in (State.RUNNING, State.QUEUED):
        raise InputError(f"The run {run.name} is {run.state}: stop it before you delete it.")
    when = time.time() if now is None else now
    target = _bin(run.path.parent) / f"{round(1000 * when):015d}-{run.name}"
    try:
        target.parent.mkdir(exist_ok=True)
        run.path.rename(target)
    except OSError as error:
        raise refusal(error, run.path.parent) from None
    return Deleted(target, run.name, when)


def deleted_runs(root: Path | str | None = None) -> list[Deleted]:
    """Return what is in the bin, last deleted first."""
    deleted = []
    for path in _bin(root).glob("*-*"):
        when, _, name = path.name.partition("-")
        if when.isdigit() and RUN_NAME.fullmatch(name):
            deleted.append(Deleted(path, name, int(when) / 1000))
    return sorted(deleted, key=lambda run: run.path.name, reverse=True)


def bring_back(deleted: Deleted) -> Run:
    """Move a run out of the bin to where it was.

    Raises
    ------
    InputError
        A run of its name has been made since, it is no longer in the bin, or the folder cannot be written.
    """
    target = deleted.path.parent.parent / deleted.name
    if target.exists():
        raise InputError(f"The run {deleted.name} has been made again since it was deleted: that one stays.")
    try:
        deleted.path.rename(target)
    except FileNotFoundError:
        raise InputError(f"The run {deleted.name} is no longer in the bin.") from None
    except OSError as error:
        raise refusal(error, target.parent) from None
    return Run(target)


def empty_bin(deleted: Iterable[Deleted]) -> int:
    """Remove deleted runs for good; return how many bytes that frees."""
    freed = 0
    for one in deleted:
        size = disk_use(one.path)
        shutil.rmtree(one.path, ignore_errors=True)
        freed += size - disk_use(one.path)
    return freed
