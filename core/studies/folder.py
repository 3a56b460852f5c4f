"""A study's folder: where its tables are, and how far it is.

A study's cells are runs like any other, under the same root. Next to the runs is the folder

    studies/NAME-HASH/
        study.toml                  what is studied
        table.csv, table.parquet    a row for each run, trigger, noise and sigma
        epochs.csv, epochs.parquet  a row for each epoch of each poisoned run
        progress.json               how far it is
        log.txt                     error output of the processes that ran it
        lock                        held by the process that runs it
        cancel                      present when somebody asked it to stop
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from core.errors import InputError
from core.files import PROJECT, is_held, newest_first, write_whole
from core.runs.root import root_refusal, runs_root
from core.studies.columns import EpochRow, Row
from core.studies.grid import StudySpec, read_study
from core.studies.tables import read_table

SHIPPED = PROJECT / "assets" / "studies"
"""Where the studies are that are part of this version; their tables are in its folder `results`."""


class StudyState(StrEnum):
    """Where a study stands."""

    NEW = "not started"
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is.

    Attributes
    ----------
    done, failed, total
        Number of cells that are done, that failed (they count as done, too), and of all cells.
    seconds_left
        Estimated time left; None before the first cell is done.
    last
        Title of the cell that was done last.
    """

    done: int
    failed: int
    total: int
    seconds_left: float | None = None
    last: str = ""

    @property
    def share(self) -> float:
        """Share of the cells that are done, in [0, 1]."""
        return self.done / self.total

    @property
    def words(self) -> str:
        """The progress in words, such as "3 of 6 runs, 2 min left"."""
        left = "" if self.seconds_left is None or self.done == self.total else f", {duration(self.seconds_left)} left"
        return f"{self.done} of {self.total} runs" + (f", {self.failed} failed" if self.failed else "") + left


def duration(seconds: float) -> str:
    """Return a number of seconds in words, such as "2 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Study:
    """A study's folder.

    Attributes
    ----------
    path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        """File with the error output of the processes that ran it."""
        return self.path / "log.txt"

    @cached_property
    def spec(self) -> StudySpec:
        """What is studied."""
        return read_study(self.path / "study.toml")

    @property
    def progress(self) -> StudyProgress | None:
        """How far it is; None if it was never started here."""
        try:
            return StudyProgress(**json.loads((self.path / "progress.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def state(self) -> StudyState:
        """Where it stands, derived from the folder."""
        if is_held(self.path / "lock"):
            return StudyState.RUNNING
        progress = self.progress
        if progress is None:
            return StudyState.NEW
        return StudyState.DONE if progress.done == progress.total else StudyState.STOPPED

    @property
    def rows(self) -> list[Row]:
        """Its table so far."""
        path = self.path / "table.csv"
        return read_table(path, Row) if path.exists() else []

    @property
    def epochs(self) -> list[EpochRow]:
        """Its table along the epochs so far."""
        path = self.path / "epochs.csv"
        return read_table(path, EpochRow) if path.exists() else []

    @property
    def last_words(self) -> str:
        """The last line of its log, as a sentence; "" if there is none."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return ""
        return next((line for line in reversed(lines) if line.strip()), "").removeprefix("error: ")

    def stop(self) -> None:
        """Ask the process that runs it to stop; finished cells are kept, and another start resumes from there."""
        (self.path / "cancel").touch()


def open_study(source: Path, root: Path | str | None = None) -> Study:
    """Return the folder of a TOML file's study under the runs' root; it is made if there is none yet.

    Raises
    ------
    InputError
        The study cannot be used, or the folder cannot be written.
    """
    spec = read_study(source)
    study = Study(runs_root(root).resolve() / "studies" / spec.folder_name)
    try:
        study.path.mkdir(parents=True, exist_ok=True)
        if not (study.path / "study.toml").exists():
            text = source.read_text(encoding="utf-8")
            if "name" not in tomllib.loads(text):
                text = f'name = "{spec.name}"\n{text}'
            write_whole(study.path / "study.toml", text.encode())
    except OSError as error:
        raise root_refusal(error, study.path.parent.parent) from None
    return study


def find_study(spec: StudySpec, root: Path | str | None = None) -> Study | None:
    """Return the folder with this study's results: the local one, else the shipped one, else None."""
    for folder in (runs_root(root) / "studies", SHIPPED / "results"):
        study = Study(folder / spec.folder_name)
        if (study.path / "study.toml").exists():
            return study
    return None


def list_studies(root: Path | str | None = None) -> dict[str, Path]:
    """Return shipped and local studies: folder name -> TOML file; unreadable ones are left out."""
    local = newest_first((runs_root(root) / "studies").glob("*/study.toml"))
    studies: dict[str, Path] = {}
    for path in (*sorted(SHIPPED.glob("*.toml")), *local):
        try:
            studies.setdefault(read_study(path).folder_name, path)
        except InputError:
            continue
    return studies
