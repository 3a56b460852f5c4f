"""One cell of a study: train one run, measure it under its triggers at every sigma, and say so in rows.

What was trained or measured before is read from the run's directory:

    measures/numbers-HASH.json  the numbers of one measurement, named by its spec
    measures/searched-HASH.json those of a pattern that was searched on the model, at each sigma

`python -m core.studies.cells` is a worker: one cell a line on stdin, one result a line on stdout.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from core.datasets import Dataset
from core.errors import InputError
from core.files import write_json
from core.identity import content_hash
from core.runs.jobs.last_dataset import LastDataset
from core.runs.measured.spec import MeasureSpec, make_measure_spec
from core.runs.measured.w import Measurement, measure_model
from core.runs.root import create_run, find_run
from core.runs.run import Run
from core.studies.tables import PATTERN, EpochRow, Labels, Row
from core.training.events import Ended, Epoch
from core.training.spec import RunSpec

if TYPE_CHECKING:
    from core.instruments.predictor import Predictor

# How long a cell waits for a run that another process trains already, for instance what a killed study left behind.
PATIENCE_SECONDS = 3600.0
# Six decimals: far below every interval, and the tables stay readable.
DECIMALS = 6
# A pattern stands beside the mean of so many random ones, others for each model.
RANDOMS = 5

Load = Callable[[RunSpec], Dataset]


class Condition(BaseModel):
    """An attack with what a study calls it, and the measurements of W under it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    size: int | None
    opacity: float
    measures: tuple[MeasureSpec, ...]


class Searched(BaseModel):
    """A pattern that is searched on a clean model, and how W under it is measured beside a random one of equal norm.

    Attributes
    ----------
    kind
        A name in `core.attacks.patterns.KINDS` whose search ends in a trigger.
    bound, made_for
        Largest change of a pixel, None for what is usual; the sigma that a crafted-smooth pattern is made for.
    target
        The class that a patch is to reach; its own images are left out for all kinds.
    images, draws, sigmas
        How W is measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    bound: float | None = None
    made_for: float | None = None
    target: int
    images: int
    draws: int
    sigmas: tuple[float, ...]

    @property
    def hash(self) -> str:
        """Its name: 12 hexadecimal digits."""
        return content_hash(self.model_dump(mode="json"))


class Cell(BaseModel):
    """One run of a study: what to train, and what to measure on it.

    A poisoned run is measured under its own condition; a control under every condition of the study, and under the
    patterns that are searched on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: RunSpec
    conditions: tuple[Condition, ...]
    patterns: tuple[Searched, ...] = ()

    @property
    def title(self) -> str:
        """What it is called while it is computed."""
        what = "control" if self.spec.is_control else f"{self.conditions[0].kind}, rate {self.spec.rate:g}"
        return f"{self.spec.dataset}, {self.spec.architecture}: {what}, seed {self.spec.seed}"


@dataclass(frozen=True)
class CellResult:
    """What became of a cell: its rows, those of its epochs, or why there are none."""

    rows: list[Row]
    epochs: list[EpochRow]
    failure: str = ""

    def to_json(self) -> str:
        """Return it as one line."""
        content = {"rows": [vars(row) for row in self.rows], "epochs": [vars(row) for row in self.epochs]}
        return json.dumps(content | {"failure": self.failure}, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> CellResult:
        """Return what `to_json` wrote."""
        content = json.loads(line)
        rows, epochs = [Row(**row) for row in content["rows"]], [EpochRow(**row) for row in content["epochs"]]
        return cls(rows, epochs, content["failure"])


def compute_cell(cell: Cell, root: Path, load: Load) -> CellResult:
    """Compute a cell, as far as its run's directory does not hold it yet; a failure is part of the answer.

    Parameters
    ----------
    cell
        What to compute.
    root
        Where runs live.
    load
        Returns the data set of a spec.
    """
    try:
        run = _trained(cell.spec, root, load)
        _measure(cell, run, load)
    except InputError as error:
        return failed(cell, str(error))
    except Exception as error:  # one bad cell does not end a study
        traceback.print_exc()
        return failed(cell, f"{type(error).__name__}: {error}")
    return read_cell(cell, root) or failed(cell, f"The run {run.name} vanished while it was measured.")


def failed(cell: Cell, reason: str) -> CellResult:
    """Return the result of a cell that could not be computed: one row for each of its conditions, which says why."""
    labels = [_labels(cell, condition) for condition in cell.conditions]
    labels += [_pattern_labels(cell, pattern) for pattern in cell.patterns]
    return CellResult([Row(**each, failure=reason) for each in labels], [], reason)


def read_cell(cell: Cell, root: Path) -> CellResult | None:
    """Return what was computed of a cell before, or None if anything of it is missing. torch is not needed for it."""
    run = find_run(cell.spec, root)
    try:
        if run is None or run.result is None:
            return None
    except InputError:  # it is damaged: whoever computes the cell says so
        return None
    rows = []
    for condition in cell.conditions:
        for measure in condition.measures:
            numbers = _read_numbers(run, measure)
            if numbers is None:
                return None
            rows.append(Row(**_labels(cell, condition), **_described(run, measure), **numbers))
    for pattern in cell.patterns:
        found = _read_json(_pattern_path(run, pattern))
        if found is None:
            return None
        rows += [Row(**_pattern_labels(cell, pattern), **_run_columns(run), **numbers) for numbers in found]
    return CellResult(rows, _epoch_rows(cell, run))


def _trained(spec: RunSpec, root: Path, load: Load) -> Run:
    from core.runs.jobs.worker import train_locked

    run = create_run(spec, root)
    if run.result is None:
        with run.locked(PATIENCE_SECONDS) as mine:
            if not mine:
                raise InputError(f"The run {run.name} is being trained by another process: run the study again later.")
            run.queue()
            train_locked(run, load)
    if run.result is None:
        last = next((event for event in reversed(run.events) if isinstance(event, Ended)), None)
        ended = f"The training of run {run.name} was {run.state.shown}."
        raise InputError(last.reason if last and last.reason else ended)
    return run


def _measure(cell: Cell, run: Run, load: Load) -> None:
    """Make the measurements that the run's directory lacks."""
    missing = [
        measure
        for condition in cell.conditions
        for measure in condition.measures
        if _read_numbers(run, measure) is None
    ]
    patterns = [pattern for pattern in cell.patterns if _read_json(_pattern_path(run, pattern)) is None]
    if not missing and not patterns:
        return
    dataset, predictor = load(cell.spec), run.finished().predictor(threads=1)
    (run.path / "measures").mkdir(exist_ok=True)
    for measure in missing:
        write_json(_numbers_path(run, measure), _numbers(predictor, dataset, measure))
    for pattern in patterns:
        write_json(_pattern_path(run, pattern), list(_pattern_numbers(run, predictor, dataset, pattern)))


def _pattern_numbers(run: Run, predictor: Predictor, dataset: Dataset, pattern: Searched) -> Iterator[dict[str, Any]]:
    """Search a pattern on the model; yield the columns that it decides at each sigma, a random one's gap beside it."""
    from core.attacks.patterns import PatternSpec, find_kind, search_pattern

    nothing, seed, model = np.zeros(0, np.int64), run.spec.seed, run.finished().model()
    # The others would aim at the class as well if it were named.
    target = pattern.target if "target" in find_kind(pattern.kind).wants else None
    wanted = PatternSpec(pattern.kind, bound=pattern.bound, sigma=pattern.made_for, target=target, seed=seed)
    *_, last = search_pattern(wanted, model, dataset, nothing)
    randoms = [PatternSpec("random", trigger=last.found, seed=RANDOMS * seed + number) for number in range(RANDOMS)]
    drawn = [step.found for random in randoms for step in search_pattern(random, model, dataset, nothing)]
    how = {"target": pattern.target, "images": pattern.images, "draws": pattern.draws}
    for sigma in pattern.sigmas:
        found, *beside = (
            _numbers(predictor, dataset, make_measure_spec(trigger=trigger, sigma=sigma, **how))
            for trigger in (last.found, *drawn)
        )
        of_random = round(float(np.mean([one["gap"] for one in beside])), DECIMALS)
        beyond = round(found["gap"] - of_random, DECIMALS)
        compared = {"control_gap": of_random, "gap_beyond_control": beyond}
        described = {"noise": "everywhere", "sigma": sigma, "draws": pattern.draws}
        yield found | compared | described | {"bound": wanted.bound, "made_for": pattern.made_for}


def _pattern_path(run: Run, pattern: Searched) -> Path:
    return run.path / "measures" / f"searched-{pattern.hash}.json"


def _numbers_path(run: Run, measure: MeasureSpec) -> Path:
    return run.path / "measures" / f"numbers-{measure.hash}.json"


def _read_numbers(run: Run, measure: MeasureSpec) -> dict[str, Any] | None:
    return _read_json(_numbers_path(run, measure))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _numbers(predictor: Predictor, dataset: Dataset, measure: MeasureSpec) -> dict[str, Any]:
    """Measure W once; return the columns of `Row` that it decides."""
    from core.instruments.evaluation import attack_success
    from core.instruments.statistics import roc_auc

    result = measure_model(predictor, dataset, measure)
    success = attack_success(predictor, dataset.test, measure.attack, len(dataset.classes), measure.seed).rate
    numbers = {
        "images": len(result.chosen),
        "attack_success_rate": success.value,
        "attack_success_rate_low": success.low,
        "attack_success_rate_high": success.high,
        "attacked_images": success.n,
        "w_clean": result.clean.mean.mean,
        "w_triggered": result.triggered.mean.mean,
        "gap": result.gap.mean,
        "gap_low": result.gap.low,
        "gap_high": result.gap.high,
        "effect_size": result.p_triggered_lower,
        "detection_auc": roc_auc(-result.triggered.w, -result.clean.w),
        "predicted_as_target": len(result.target_chosen),
        "w_predicted_as_target": float(result.target_class.w.mean()) if len(result.target_chosen) else None,
        "votes_in": str(predictor.dtype).removeprefix("torch."),
        "host": platform.node(),
    }
    numbers |= _parts(result) | _sides(result) | _what_w_measures(predictor, dataset, result)
    return {name: round(value, DECIMALS) if isinstance(value, float) else value for name, value in numbers.items()}


def _parts(result: Measurement) -> dict[str, Any]:
    """Return mean W of flipped images and of the others apart, without and with the trigger."""
    numbers: dict[str, Any] = {"flipped": int(result.flipped.sum())}
    for name, part in (("flipped", result.flipped), ("not_flipped", ~result.flipped)):
        clean, triggered = result.part(part) or (None, None)
        numbers |= {f"w_clean_{name}": clean, f"w_triggered_{name}": triggered}
    return numbers


def _sides(result: Measurement) -> dict[str, Any]:
    """Return modal class, the target's share of the votes and baselines, without and with the trigger."""
    numbers: dict[str, Any] = {}
    target = result.spec.attack.target
    for name, side in (("clean", result.clean), ("triggered", result.triggered)):
        numbers |= {
            f"modal_class_{name}": side.modal_class,
            f"modal_share_{name}": side.modal_share,
            f"target_share_{name}": None if target is None else float(side.votes[:, target].sum() / side.votes.sum()),
            f"confidence_{name}": float(side.confidence.mean()),
            f"margin_{name}": float(side.margin.mean()),
        }
    return numbers


def _what_w_measures(predictor: Predictor, dataset: Dataset, result: Measurement) -> dict[str, Any]:
    """Return how W of the clean images goes with what the model says without noise, and with its mistakes."""
    from core.datasets.dataset import to_unit

    logits = predictor.logits(to_unit(dataset.test.images[result.chosen])).double().log_softmax(1)
    softmax_entropy = -(logits.exp() * logits).sum(1).numpy()
    wrong = result.clean.predicted != result.true
    return entropy_and_mistakes(result.clean.w, softmax_entropy, wrong)


def entropy_and_mistakes(w: Any, softmax_entropy: Any, wrong: Any) -> dict[str, float | None]:
    """Return the rank correlation of W with the entropy of the softmax, and the AUC of W for misclassified images.

    Parameters
    ----------
    w, softmax_entropy
        float [N], of the same images.
    wrong
        bool [N], whether the model misclassifies them without noise.

    Returns
    -------
    dict
        `entropy_correlation`, None where either is the same for all images; `misclassified_auc`, None where no image
        or every image is misclassified.
    """
    from core.instruments.statistics import roc_auc

    varies = len(w) > 1 and (w != w[0]).any() and (softmax_entropy != softmax_entropy[0]).any()
    mixed = wrong.any() and not wrong.all()
    return {
        "entropy_correlation": rank_correlation(w, softmax_entropy) if varies else None,
        "misclassified_auc": roc_auc(w[wrong], w[~wrong]) if mixed else None,
    }


def rank_correlation(x: Any, y: Any) -> float:
    """Return Spearman's rank correlation, ties sharing their mean rank."""
    from scipy.stats import spearmanr

    return float(spearmanr(x, y).statistic)


def _labels(cell: Cell, condition: Condition) -> dict[str, Any]:
    measure = condition.measures[0]
    attack = {"trigger": measure.attack.trigger.name, "mode": measure.attack.mode, "target": measure.attack.target}
    named = {"kind": condition.kind, "size": condition.size, "opacity": condition.opacity}
    return vars(Labels(**_spec_columns(cell.spec), **named, **attack))


def _pattern_labels(cell: Cell, pattern: Searched) -> dict[str, Any]:
    named = {"kind": pattern.kind, "size": None, "opacity": 1.0, "trigger": pattern.kind}
    return vars(Labels(**_spec_columns(cell.spec), **named, mode=PATTERN, target=pattern.target))


def _spec_columns(spec: RunSpec) -> dict[str, Any]:
    return {
        "run": spec.hash,
        "control": spec.control().hash,
        "dataset": spec.dataset,
        "architecture": spec.architecture,
        "epochs": spec.epochs,
        "seed": spec.seed,
        "rate": spec.rate,
    }


def _described(run: Run, measure: MeasureSpec) -> dict[str, Any]:
    """Return the columns that come from the run and from the measurement's spec."""
    return {"noise": measure.noise, "sigma": measure.sigma, "draws": measure.draws} | _run_columns(run)


def _run_columns(run: Run) -> dict[str, Any]:
    result, spec = run.finished().result, run.spec
    return {
        "clean_accuracy": round(result.clean_accuracy.value, DECIMALS),
        "device": spec.device,
        "precision": spec.precision,
        "threads": spec.threads,
        "torch": result.torch,
        "processor": result.processor,
        "seconds": result.seconds,
    }


def _epoch_rows(cell: Cell, run: Run) -> list[EpochRow]:
    if cell.spec.is_control:  # it carries no trigger while it is trained
        return []
    labels = _labels(cell, cell.conditions[0])
    return [_epoch_row(labels, epoch) for epoch in run.epochs if epoch.watch.triggered is not None]


def _epoch_row(labels: dict[str, Any], epoch: Epoch) -> EpochRow:
    watch, rate = epoch.watch, epoch.attack_success_rate
    return EpochRow(
        **labels,
        epoch=epoch.epoch,
        sigma=watch.sigma,
        images=watch.images,
        draws=watch.draws,
        clean_accuracy=round(epoch.clean_accuracy.value, DECIMALS),
        attack_success_rate=None if rate is None or rate.value is None else round(rate.value, DECIMALS),
        w_clean=round(watch.clean, DECIMALS),
        w_triggered=round(watch.triggered, DECIMALS),
        gap=round(watch.clean - watch.triggered, DECIMALS),
    )


def serve(root: Path, data_root: Path) -> None:
    """Be a worker until stdin ends: read a cell a line, write its result as one line."""
    # Whatever a library prints goes to the log; only results go where they are read.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if hasattr(os, "nice"):
        os.nice(10)  # the page comes first
    import torch

    torch.set_num_threads(1)
    load = LastDataset(data_root)
    for line in sys.stdin:
        answers.write(compute_cell(Cell.model_validate_json(line), root, load).to_json() + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]))
