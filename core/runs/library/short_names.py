"""What runs next to each other are called: as short as tells them apart, for charts, tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.runs.library.card import trigger_title
from core.runs.library.label import read_label
from core.runs.loaded_spec import LoadedSpec
from core.runs.run import DoneRun

_LONGEST = 32


def short_names(runs: Sequence[DoneRun]) -> list[str]:
    """Return the names of a few runs, no two alike.

    A run is called by the name that people gave it, else by its trigger ("Checkerboard"), as "Control", or by its
    file. Where several would share that, the first detail in which all of them differ is added, else each one's hash.
    """
    names = [_shortened(read_label(run).name or _what(run)) for run in runs]
    for name in {name for name in names if names.count(name) > 1}:
        alike = [number for number, other in enumerate(names) if other == name]
        details = [_details(runs[number]) for number in alike]
        telling = next((one for one in zip(*details, strict=True) if len(set(one)) == len(one)), None)
        for number, detail in zip(alike, telling or [runs[number].name[:6] for number in alike], strict=True):
            names[number] = f"{name}, {detail}"
    return names


def _what(run: DoneRun) -> str:
    if isinstance(run.spec, LoadedSpec):
        return run.spec.file
    return "Control" if run.spec.attack is None else trigger_title(run.spec.attack.trigger)


def _details(run: DoneRun) -> tuple[str, ...]:
    """Return in what runs of one trigger may differ, the most telling first."""
    spec: Any = run.spec
    attack = spec.attack
    goal = "" if attack is None or attack.target is None else run.result.classes[attack.target]
    return (
        "" if attack is None else attack.mode,
        "" if spec.rate is None else f"{100 * spec.rate:.3g}%",
        "" if attack is None else "random place" if attack.random_place else "one place",
        f"to {goal}",
        f"seed {spec.seed}",
        spec.architecture,
        f"{spec.epochs} epochs",
    )


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1].rstrip() + "…"
