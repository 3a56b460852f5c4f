"""What is known of a run at a glance, whether it is done, damaged or not yet begun."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import InputError
from core.files import disk_use
from core.instruments.statistics import Estimate
from core.runs.library.label import LABEL, Label, read_label
from core.runs.library.titles import details, told_apart, what_it_is
from core.runs.loaded_spec import LoadedSpec
from core.runs.measured.w import page_attack_spec, stored_measurement, sweep_sigmas
from core.runs.result import Result
from core.runs.run import Run, State
from core.training.spec import RunSpec


@dataclass(frozen=True, eq=False)
class Card:
    """What the library shows of one run.

    Attributes
    ----------
    run, state, label
        The run, where it stands, and what people call it.
    spec, result
        None where the file is damaged or not there yet.
    gap, gap_sigma
        W clean minus W triggered as Explore measures it, and at which sigma; None if nobody has measured it yet.
    size
        Bytes on disk.
    made
        When it was made, in seconds since 1970.
    problem
        One sentence if the run is damaged; "" otherwise.
    """

    run: Run
    state: State
    label: Label
    spec: RunSpec | LoadedSpec | None
    result: Result | None
    gap: Estimate | None
    gap_sigma: float | None
    size: int
    made: float
    problem: str

    @property
    def title(self) -> str:
        """Its own name, or what it is."""
        return self.label.name or what_it_is(self.spec, self.result, self.run.name)

    @property
    def words(self) -> str:
        """Everything that a search looks through, in small letters."""
        spec, label = self.spec, self.label
        parts = [self.run.name, self.title, *label.tags, label.note, self.state.shown]
        parts += details(spec, self.result, self.run.name).values()
        if spec is not None:
            parts += [spec.dataset, spec.architecture]
            parts += [spec.attack.trigger.name, spec.attack.mode] if spec.attack is not None else []
        return " ".join(parts).lower()


def card_titles(cards: Sequence[Card]) -> dict[str, str]:
    """Return what runs are called in one list, by their names: no two alike."""
    about = {one.run.name: details(one.spec, one.result, one.run.name) for one in cards}
    return told_apart({one.run.name: one.title for one in cards}, about)


def card(run: Run) -> Card:
    """Return what the library shows of a run, damaged or not."""
    spec, result, problem = None, None, ""
    try:
        spec, result = run.spec, run.result
    except InputError as error:
        problem = str(error)
    gap, sigma = (None, None) if spec is None or result is None else _gap(run, spec, result)
    return Card(
        run=run,
        state=run.state,
        label=read_label(run),
        spec=spec,
        result=result,
        gap=gap,
        gap_sigma=sigma,
        size=disk_use(run.path),
        made=_made(run),
        problem=problem,
    )


def _made(run: Run) -> float:
    try:
        return (run.path / "spec.json").stat().st_mtime
    except OSError:  # deleted meanwhile
        return 0.0


def _gap(run: Run, spec: RunSpec | LoadedSpec, result: Result) -> tuple[Estimate | None, float | None]:
    """Return the gap that Explore shows first, or at another sigma of its sweep if only that was measured."""
    if spec.attack is None or not any((run.path / "measures").glob("w-*.npz")):
        return None, None
    sigmas = sweep_sigmas(result.shape)
    for sigma in sorted(sigmas, key=lambda sigma: sigma != sigmas[2]):
        measurement = stored_measurement(run, page_attack_spec(spec.attack, sigma))
        if measurement is not None:
            return measurement.gap, sigma
    return None, None


def stamp(run: Run) -> str:
    """Return a text that changes whenever what a card shows may have changed, without reading any file."""
    parts = []
    for name in ("spec.json", "result.json", LABEL, "events.jsonl", "measures", "lock", "cancel"):
        try:
            parts.append(str((run.path / name).stat().st_mtime_ns))
        except OSError:
            parts.append("-")
    return json.dumps([*parts, run.is_queued()])
