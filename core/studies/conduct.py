"""Running a study: compute the cells that are missing, write its tables meanwhile, say how far it is."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from core.datasets import data_folder
from core.errors import InputError
from core.files import refusal, write_json
from core.runs.jobs.process import start_core
from core.runs.root import runs_root
from core.studies.cell import Cell, CellResult
from core.studies.cells import read_cell
from core.studies.columns import with_controls
from core.studies.folder import Study, StudyProgress
from core.studies.local_pool import LocalPool
from core.studies.plan import plan_cells
from core.studies.tables import write_tables

# How often the tables of a running study are written, so that people can look at them meanwhile.
WRITE_SECONDS = 15.0


class Engine(Protocol):
    """What computes cells: `core.studies.local_pool.LocalPool` here, `core.studies.cluster.Cluster` elsewhere.

    `machine` says on which `device` and in which `precision`, as fields of a `RunSpec`.
    """

    @property
    def machine(self) -> Mapping[str, Any]:
        """Fields of a `RunSpec`."""
        ...

    def compute(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, CellResult] | None]:
        """Yield cells with their results as they are done, and None about every second in between."""
        ...


def run_study(
    study: Study, root: Path | str | None = None, data_root: Path | str | None = None, engine: Engine | None = None
) -> Iterator[StudyProgress]:
    """Compute what is missing of a study; yield its progress about every second, and write its tables.

    To stop early, close the generator: finished cells are kept. A cell that fails is recorded, and the others are
    computed all the same.

    Parameters
    ----------
    study
        Its folder; see `open_study`.
    root, data_root
        Where runs and data live.
    engine
        What computes; by default the worker processes of this machine.

    Raises
    ------
    InputError
        The study cannot be carried out, or another process runs it already.
    """
    from filelock import FileLock, Timeout

    root, data_root = runs_root(root).resolve(), data_folder(data_root).resolve()
    engine = engine or LocalPool(root, data_root)
    cells = plan_cells(study.spec, data_root, engine.machine)
    try:
        with FileLock(study.path / "lock", timeout=0.5):
            (study.path / "cancel").unlink(missing_ok=True)
            yield from StudyRun(study, cells, root).progress(engine)
    except Timeout:
        raise InputError(f"The study {study.path.name} is being run by another process already.") from None


class StudyRun:
    """A study while it is run: the results so far, and when it began."""

    def __init__(self, study: Study, cells: Sequence[Cell], root: Path) -> None:
        self.study, self.cells = study, cells
        self.results: dict[str, CellResult] = {}
        for cell in cells:
            if (stored := read_cell(cell, root)) is not None:
                self.results[cell.spec.hash] = stored
        self.began, self.done_before, self.written, self.last = time.monotonic(), len(self.results), 0.0, ""

    def progress(self, engine: Engine) -> Iterator[StudyProgress]:
        """Compute the missing cells; yield how far the study is until all are done or somebody asks it to stop."""
        missing = [cell for cell in self.cells if cell.spec.hash not in self.results]
        yield self._record_progress()
        try:
            for computed in engine.compute(missing) if missing else ():
                if computed is not None:
                    cell, result = computed
                    self.results[cell.spec.hash], self.last = result, cell.title
                    if time.monotonic() - self.written > WRITE_SECONDS:
                        self._write_tables()
                yield self._record_progress()
                if (self.study.path / "cancel").exists():
                    break
        finally:
            self._write_tables()
            self._record_progress()

    def _record_progress(self) -> StudyProgress:
        done, total = len(self.results), len(self.cells)
        computed = done - self.done_before
        left = (time.monotonic() - self.began) / computed * (total - done) if computed else None
        failures = sum(bool(result.failure) for result in self.results.values())
        progress = StudyProgress(done, failures, total, left if done < total else 0.0, self.last)
        write_json(self.study.path / "progress.json", asdict(progress))
        return progress

    def _write_tables(self) -> None:
        """Write the results so far in the order of the plan, whatever the order in which they were computed."""
        ordered = [self.results[cell.spec.hash] for cell in self.cells if cell.spec.hash in self.results]
        write_tables(self.study.path, "table", with_controls([row for result in ordered for row in result.rows]))
        write_tables(self.study.path, "epochs", [row for result in ordered for row in result.epochs])
        self.written = time.monotonic()


def start_study(study: Study, root: Path, data_root: Path) -> subprocess.Popen:
    """Run a study in a process of its own, which outlives the page and its server.

    If it ends with a status above 0, `Study.last_words` says why.

    Raises
    ------
    InputError
        Its folder cannot be written.
    """
    command = ["study", str(study.path / "study.toml"), "--json"]
    command += ["--runs", str(root.resolve()), "--data-root", str(data_root.resolve())]
    try:
        return start_core(command, study.log)
    except OSError as error:
        raise refusal(error, study.path) from None
