"""Which runs a page lists, and what it calls them."""

from __future__ import annotations

from collections.abc import Iterable

from core.runs.library.label import read_label
from core.runs.library.titles import details, told_apart, what_it_is
from core.runs.root import finished_runs
from core.runs.run import DoneRun, Run
from core.runs.shipped.examples import EXAMPLES
from core.runs.shipped.gallery import GALLERY
from dashboard import cached


def runs_to_look_at() -> list[DoneRun]:
    """Return the finished runs of this machine, newest first, and the shipped examples after them."""
    return [*finished_runs(cached.jobs().root), *finished_runs(EXAMPLES), *finished_runs(GALLERY)]


def run_titles(runs: Iterable[Run]) -> dict[str, str]:
    """Return what runs are called in one list, by their names: no two alike."""
    listed = {run.name: run for run in runs}
    about = {name: details(run.spec, run.result, name) for name, run in listed.items()}
    return told_apart({name: run_title(run) for name, run in listed.items()}, about)


def run_title(run: Run) -> str:
    """Return what a run is called: the name that people gave it, or what it is; not told apart as in `run_titles`."""
    return read_label(run).name or what_it_is(run.spec, run.result, run.name)
