"""What a few runs next to each other are called: as short as tells them apart, for charts, tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence

from core.runs.library.label import read_label
from core.runs.library.titles import class_title, details, told_apart, trigger_title
from core.runs.loaded_spec import LoadedSpec
from core.runs.run import DoneRun

_LONGEST = 32


def short_names(runs: Sequence[DoneRun]) -> list[str]:
    """Return the names of a few different runs, no two alike.

    A run is called by the name that people gave it, else by its trigger ("Checkerboard"), as "Control", or by its
    file. Those who would share that get the least that tells them apart: "Checkerboard · 1%".
    """
    names = {run.name: _shortened(read_label(run).name or _what(run)) for run in runs}
    told = told_apart(names, {run.name: _details(run) for run in runs})
    return [told[run.name] for run in runs]


def _what(run: DoneRun) -> str:
    if isinstance(run.spec, LoadedSpec):
        return run.spec.file
    return "Control" if run.spec.attack is None else trigger_title(run.spec.attack.trigger)


def _details(run: DoneRun) -> dict[str, str]:
    """Return in what runs of one trigger may differ, the most telling first."""
    attack, rate, found = run.spec.attack, run.spec.rate, {}
    if attack is not None:
        found["mode"] = attack.mode
        found["place"] = "random place" if attack.random_place else ""
        found["target"] = "" if attack.target is None else f"→ {class_title(attack.target, run.result.classes)}"
    if rate:
        found["rate"] = f"{100 * rate:.3g}%"
    usual = details(run.spec, run.result, run.name)
    return found | {what: words for what, words in usual.items() if what != "what"}


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1].rstrip() + "…"
