"""The cells of a study: one for each combination of its grid, and one for each control."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.attacks.attack import Attack, make_attack
from core.datasets import describe, fingerprint, load_dataset
from core.errors import InputError
from core.runs.measured.spec import MeasureSpec, make_measure_spec
from core.studies.cell import Cell, PatternSearch, TestCondition
from core.studies.columns import Labels
from core.studies.grid import Measures, StudySpec
from core.training.spec import RunSpec, make_spec

Shape = tuple[int, int, int]

# Seconds that a run takes on two cores, both at work: to measure it, and for each epoch of its training (small-cnn).
_SECONDS = {"digits": (5.0, 0.4), "signs": (30.0, 4.0)}


def plan_cells(spec: StudySpec, data_root: Path | None = None, machine: Mapping[str, Any] | None = None) -> list[Cell]:
    """Return the cells of a study: for each data set, architecture, length and seed the control, then the attacks.

    Parameters
    ----------
    spec
        The study.
    data_root
        Where data sets live.
    machine
        `device` and `precision` of whoever computes; by default what suits this machine.

    Raises
    ------
    InputError
        A data set, architecture or attack mode is unknown, or a trigger cannot be made.
    """

    def look_up(dataset: str) -> tuple[Shape, str]:
        return describe(dataset).shape or load_dataset(dataset, data_root).shape, fingerprint(dataset, data_root)

    return _plan(spec, look_up, machine or {})


def count_runs(spec: StudySpec) -> int:
    """Return how many cells `plan_cells` would make, without loading any images.

    Raises
    ------
    InputError
        The study cannot be carried out, whatever its images are.
    """
    # Unknown images are assumed to be so large that every patch, warp and sinusoid fits on them.
    side = 1 + 2 * max([32, *(size for grid in spec.triggers for size in grid.sizes)])

    def assume(dataset: str) -> tuple[Shape, str]:
        return describe(dataset).shape or (3, side, side), ""

    return len(_plan(spec, assume, {"device": "cpu", "precision": "float32"}))


def find_spec(spec: StudySpec, row: Labels, data_root: Path | None = None) -> RunSpec | None:
    """Return what trains the poisoned run of one row of the study's table on this machine; None if no cell is that run.

    A run that was trained elsewhere, on another device, has another name here.
    """

    def is_wanted(cell: Cell) -> bool:
        trained, condition = cell.spec, cell.conditions[0]
        attack = trained.attack
        if attack is None or (attack.mode, attack.target) != (row.mode, row.target):
            return False
        return (trained.dataset, trained.architecture, trained.epochs, trained.seed, trained.rate) == (
            row.dataset, row.architecture, row.epochs, row.seed, row.rate,
        ) and (condition.kind, condition.size, condition.opacity) == (row.kind, row.size, row.opacity)  # fmt: skip

    cells = plan_cells(spec, data_root)
    return next((cell.spec for cell in cells if cell.spec.hash == row.run or is_wanted(cell)), None)


def usual_seconds(spec: StudySpec) -> float | None:
    """Return about how long a study takes on two cores; None where one of its data sets was never timed."""
    epochs = sum(spec.epochs) / len(spec.epochs)
    if not set(spec.datasets) <= set(_SECONDS):
        return None
    each = sum(base + epochs * epoch for base, epoch in map(_SECONDS.__getitem__, spec.datasets)) / len(spec.datasets)
    return count_runs(spec) * each


def _plan(spec: StudySpec, look_up: Callable[[str], tuple[Shape, str]], machine: Mapping[str, Any]) -> list[Cell]:
    """Return the cells; `look_up` gives a data set's image shape and fingerprint."""
    cells: dict[str, Cell] = {}
    for dataset in spec.datasets:
        shape, mark = look_up(dataset)
        conditions = tuple(dict.fromkeys(_conditions(spec, shape)))
        common = {"dataset": dataset, "fingerprint": mark, "threads": 1, **machine}
        for architecture, epochs, seed in itertools.product(spec.architectures, spec.epochs, spec.seeds):
            training = common | {"architecture": architecture, "epochs": epochs, "seed": seed}
            for cell in _cells_of(spec, make_spec(**training, rate=0.0), conditions):
                cells.setdefault(cell.spec.hash, cell)
    return list(cells.values())


def _cells_of(spec: StudySpec, control: RunSpec, conditions: Sequence[TestCondition]) -> Iterator[Cell]:
    """Yield the control's cell, then those of the runs that are compared with it."""
    yield Cell(spec=control, conditions=tuple(conditions), patterns=tuple(_patterns(spec)))
    for condition, rate in itertools.product(conditions, [rate for rate in spec.rates if rate > 0]):
        attack = condition.measures[0].attack
        cover_rate = spec.cover_rate if attack.mode == "source-specific" else 0.0
        yield Cell(spec=control.poisoned(attack, rate, cover_rate), conditions=(condition,))


def _patterns(spec: StudySpec) -> Iterator[PatternSearch]:
    measure = spec.measure
    for pattern in spec.patterns:
        yield PatternSearch(
            kind=pattern.kind,
            bound=pattern.bound,
            made_for=pattern.made_for,
            target=spec.targets[0],
            images=measure.images,
            draws=measure.draws,
            sigmas=measure.sigmas,
        )


def _conditions(spec: StudySpec, shape: Shape) -> Iterator[TestCondition]:
    for grid, mode, target in itertools.product(spec.triggers, spec.modes, spec.targets):
        for size, opacity, trigger in grid.triggers(shape):
            trigger.check_fits(shape)
            sources = spec.sources if mode == "source-specific" else ()
            attack = make_attack(trigger=trigger, target=target, mode=mode, sources=sources)
            measures = tuple(_measures(spec.measure, attack, shape))
            if not measures:
                raise InputError(
                    f"A {grid.kind} covers the whole image, which leaves no pixel for noise off the trigger: add "
                    '"everywhere" to the noise of the study\'s [measure], or leave this trigger out.'
                )
            yield TestCondition(kind=grid.kind, size=size, opacity=opacity, measures=measures)


def _measures(measure: Measures, attack: Attack, shape: Shape) -> Iterator[MeasureSpec]:
    covers_all = attack.trigger.covers(shape).all()
    for noise, sigma in itertools.product(measure.noise, measure.sigmas):
        if noise == "everywhere" or not covers_all:
            yield make_measure_spec(attack=attack, images=measure.images, draws=measure.draws, sigma=sigma, noise=noise)
