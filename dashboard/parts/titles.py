"""Which runs a page lists, and what it calls them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from core.runs.library.card import what_it_is
from core.runs.library.label import read_label
from core.runs.root import finished_runs
from core.runs.run import DoneRun, Run
from core.runs.shipped.examples import EXAMPLES
from core.runs.shipped.gallery import GALLERY
from dashboard import cached


def runs_to_look_at() -> list[DoneRun]:
    """Return the finished runs of this machine, newest first, and the shipped examples after them."""
    return [*finished_runs(cached.jobs().root), *finished_runs(EXAMPLES), *finished_runs(GALLERY)]


def run_titles(runs: Iterable[Run]) -> dict[str, str]:
    """Return what runs are called in a list, by their names."""
    listed = {run.name: run for run in runs}
    details = {name: f"{run.spec.architecture}, {run.spec.epochs} epochs · {name[:6]}" for name, run in listed.items()}
    return told_apart({name: run_title(run) for name, run in listed.items()}, details)


def told_apart(titles: Mapping[str, str], details: Mapping[str, str]) -> dict[str, str]:
    """Return titles with details behind those that several share: a list goes by what it shows."""
    often = Counter(titles.values())
    return {name: title if often[title] == 1 else f"{title} · {details[name]}" for name, title in titles.items()}


def run_title(run: Run) -> str:
    """Return what a run is called in lists: the name that people gave it, or what it is."""
    spec, name = run.spec, read_label(run).name
    seed = "" if spec.seed is None else f", seed {spec.seed}"
    return name or what_it_is(spec, run.result, run.name) + seed
