"""Computing one cell of a study: train its run, measure W with its triggers at every sigma, and return rows.

What was computed before is read from the run's directory:

    measures/row-HASH.json       the row of one measurement, named by the measurement's spec
    measures/searched-HASH.json  the rows of a pattern that was searched for on the model, one for each sigma
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.datasets import Dataset
from core.errors import InputError
from core.runs.measured.cache import Kept, kept_json
from core.runs.measured.spec import MeasureSpec
from core.runs.root import create_run, find_run
from core.runs.run import DoneRun, Run
from core.studies.cell import Cell, CellResult, PatternSearch, TestCondition
from core.studies.columns import PATTERN, EpochRow, Labels, Row
from core.training.events import Ended, Epoch, Event
from core.training.spec import RunSpec

# How long a cell waits for a run that another process trains already, for instance what a killed study left behind.
PATIENCE_SECONDS = 3600.0

Load = Callable[[RunSpec], Dataset]


def compute_cell(cell: Cell, root: Path, load: Load, is_wanted: Callable[[], bool] = lambda: True) -> CellResult:
    """Compute what is missing of a cell in its run's directory; if that fails, the result says why.

    Parameters
    ----------
    cell
        What to compute.
    root
        Where runs live.
    load
        Returns the data set of a spec.
    is_wanted
        Asked at every event of the training: as soon as it says no, the training stops and leaves a checkpoint.
    """
    try:
        run = _trained(cell.spec, root, load, is_wanted)
        _measure(cell, run, load)
    except InputError as error:
        return failed(cell, str(error))
    except Exception as error:  # one bad cell does not end a study
        traceback.print_exc()
        return failed(cell, f"{type(error).__name__}: {error}")
    return read_cell(cell, root) or failed(cell, f"The run {run.name} disappeared while it was measured.")


def failed(cell: Cell, reason: str) -> CellResult:
    """Return the result of a cell that could not be computed: a row for each trigger and pattern, with the reason."""
    labels = [_labels(cell, condition) for condition in cell.conditions]
    labels += [_pattern_labels(cell, pattern) for pattern in cell.patterns]
    return CellResult([Row(**vars(label), failure=reason) for label in labels], [], reason)


def read_cell(cell: Cell, root: Path) -> CellResult | None:
    """Return the stored result of a cell, or None if anything of it is missing. Does not need torch."""
    run = find_run(cell.spec, root)
    try:
        if run is None or run.result is None:
            return None
    except InputError:  # it is damaged: whoever computes the cell says so
        return None
    rows: list[Row] = []
    for labels, kept in _kept_rows(cell):
        stored = kept.look_up(run)
        if stored is None:
            return None
        # Another study may call the same measurement by another name.
        rows += [replace(row, **vars(labels)) for row in stored]
    return CellResult(rows, _epoch_rows(cell, run))


def _trained(spec: RunSpec, root: Path, load: Load, is_wanted: Callable[[], bool]) -> DoneRun:
    from core.runs.jobs.worker import train_locked

    run = create_run(spec, root)

    def stop_if_unwanted(event: Event) -> None:
        if not is_wanted():
            (run.path / "cancel").touch()

    if run.result is None:
        with run.locked(PATIENCE_SECONDS) as acquired:
            if not acquired:
                raise InputError(
                    f"The run {run.name} is being trained by another process: start the study again later."
                )
            run.queue()
            train_locked(run, load, stop_if_unwanted)
    if run.result is None:
        last = next((event for event in reversed(run.events) if isinstance(event, Ended)), None)
        ended = f"The training of run {run.name} was {run.state.shown}."
        raise InputError(last.reason if last and last.reason else ended)
    return run.finished()


def _measure(cell: Cell, run: DoneRun, load: Load) -> None:
    """Make the measurements that the run's directory lacks."""
    from core.studies.measuring import CellMeter

    conditions = [_missing_part(run, condition) for condition in cell.conditions]
    conditions = [condition for condition in conditions if condition.measures]
    patterns = [pattern for pattern in cell.patterns if _kept_pattern(pattern).look_up(run) is None]
    if not conditions and not patterns:
        return
    meter = CellMeter(cell.spec, run, load(cell.spec))
    for condition in conditions:
        for measure, row in meter.condition_rows(_labels(cell, condition), condition):
            _kept_row(measure).store(run, [row])
    for pattern in patterns:
        _kept_pattern(pattern).store(run, list(meter.pattern_rows(_pattern_labels(cell, pattern), pattern)))


def _missing_part(run: Run, condition: TestCondition) -> TestCondition:
    """Return the condition with those measurements alone that were not made yet."""
    missing = [measure for measure in condition.measures if _kept_row(measure).look_up(run) is None]
    return condition.model_copy(update={"measures": tuple(missing)})


def _kept_rows(cell: Cell) -> list[tuple[Labels, Kept[list[Row]]]]:
    """Return what is kept of a cell with its run, and the labels that these rows get."""
    measured = [
        (_labels(cell, condition), _kept_row(measure))
        for condition in cell.conditions
        for measure in condition.measures
    ]
    return measured + [(_pattern_labels(cell, pattern), _kept_pattern(pattern)) for pattern in cell.patterns]


def _kept_row(measure: MeasureSpec) -> Kept[list[Row]]:
    return kept_json(f"row-{measure.hash}", list[Row])


def _kept_pattern(pattern: PatternSearch) -> Kept[list[Row]]:
    return kept_json(f"searched-{pattern.hash}", list[Row])


def _labels(cell: Cell, condition: TestCondition) -> Labels:
    measure = condition.measures[0]
    return _label(
        cell.spec,
        kind=condition.kind,
        size=condition.size,
        opacity=condition.opacity,
        trigger=measure.attack.trigger.name,
        mode=measure.attack.mode,
        target=measure.attack.target,
    )


def _pattern_labels(cell: Cell, pattern: PatternSearch) -> Labels:
    kind = pattern.kind
    return _label(cell.spec, kind=kind, size=None, opacity=1.0, trigger=kind, mode=PATTERN, target=pattern.target)


def _label(spec: RunSpec, **tested: Any) -> Labels:
    return Labels(
        run=spec.hash,
        control=spec.control().hash,
        dataset=spec.dataset,
        architecture=spec.architecture,
        epochs=spec.epochs,
        seed=spec.seed,
        rate=spec.rate,
        **tested,
    )


def _epoch_rows(cell: Cell, run: Run) -> list[EpochRow]:
    if cell.spec.is_control:  # it has no trigger during training
        return []
    labels = _labels(cell, cell.conditions[0])
    watched = [(epoch, epoch.watch.triggered) for epoch in run.epochs]
    return [_epoch_row(labels, epoch, w) for epoch, w in watched if w is not None]


def _epoch_row(labels: Labels, epoch: Epoch, w_triggered: float) -> EpochRow:
    from core.studies.measuring import DECIMALS

    watch, rate = epoch.watch, epoch.attack_success_rate
    return EpochRow(
        **vars(labels),
        epoch=epoch.epoch,
        sigma=watch.sigma,
        images=watch.images,
        draws=watch.draws,
        clean_accuracy=round(epoch.clean_accuracy.value, DECIMALS),
        attack_success_rate=None if rate is None else round(rate.value, DECIMALS),
        w_clean=round(watch.clean, DECIMALS),
        w_triggered=round(w_triggered, DECIMALS),
        gap=round(watch.clean - w_triggered, DECIMALS),
    )
