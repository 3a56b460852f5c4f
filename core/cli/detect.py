"""`detect`: W and other detectors, on the same inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import AsJson, DataRoot, Place, RunName, Runs, Target, TriggerName
from core.cli.output import say, say_json, share_bar
from core.cli.reading import run_and_attack
from core.instruments.budgets import DETECTION
from core.instruments.detectors import DETECTORS

if TYPE_CHECKING:
    from core.instruments.detectors.comparison import Comparison, ComparisonSpec, Scored
    from core.instruments.detectors.roc import Roc
    from core.instruments.statistics import Proportion


def detect_command(
    run: RunName,
    sigma: Annotated[float | None, typer.Option(help="Noise of W (noise of expected length 4).")] = None,
    draws: Annotated[int, typer.Option(help="Noise draws an image.")] = DETECTION.draws,
    images: Annotated[int, typer.Option(help="Test images a group, at most.")] = DETECTION.images,
    false_positives: Annotated[float, typer.Option(help="False-positive rate that thresholds are set for.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Decides images, noise, overlays and batches.")] = 0,
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Let W and other detectors look for the trigger, on the same inputs."""
    from core.instruments.detectors.comparison import ComparisonSpec
    from core.instruments.smoothness import suggested_sigma
    from core.runs.measured.detectors import detect_run

    found, attack = run_and_attack(run, trigger, place, target, runs)
    noise = suggested_sigma(found.result.shape) if sigma is None else sigma
    spec = ComparisonSpec(attack, noise, draws, images, false_positives, seed)
    with share_bar("detecting:") as show:
        for reached in detect_run(found, spec, data_root):
            show(reached.share, reached.doing)
    if as_json:
        say_json(detection_summary(str(found.path), spec, reached))
        return
    for line in detection_lines(spec, reached, found.result.classes):
        say(line)


def detection_summary(run: str, spec: ComparisonSpec, found: Comparison) -> dict[str, Any]:
    """Return a finished comparison as JSON content, keyed by detector."""
    return {
        "run": run,
        "trigger": spec.attack.trigger.name,
        "target": spec.attack.target,
        "mode": spec.attack.mode,
        "sigma": spec.sigma,
        "draws": spec.draws,
        "seed": spec.seed,
        "false_positive_rate_asked": spec.asked,
        "detectors": {one.detector: _scored(one) for one in found.scored},
        "neural_cleanse": _inverted(found),
        "left_out": dict(found.left_out),
    }


def _scored(one: Scored) -> dict[str, Any]:
    words = DETECTORS[one.detector]
    flagged = one.flagged
    return {
        "looks_at": words.looks_at,
        "auc_against_other_classes": _auc(one.against_other),
        "auc_against_target_class": None if one.against_target is None else _auc(one.against_target),
        "false_positive_rate_other_classes": vars(flagged.false_positive_other),
        "false_positive_rate_target_class": vars(flagged.false_positive_target),
        "detected": vars(flagged.detected),
        "note": one.note,
        "fails": words.fails,
        "source": words.source,
    }


def _auc(roc: Roc) -> dict[str, Any]:
    return {**roc.auc._asdict(), "positives": roc.positives, "negatives": roc.negatives}


def _inverted(found: Comparison) -> dict[str, Any] | None:
    if found.inverted is None:
        return None
    words, inverted = DETECTORS["neural-cleanse"], found.inverted
    return {
        "norms": inverted.norms.tolist(),
        "anomaly_index": inverted.scores.tolist(),
        "reached": inverted.reached.tolist(),
        "suspicious": list(inverted.suspicious),
        "fails": words.fails,
        "source": words.source,
    }


def detection_lines(spec: ComparisonSpec, found: Comparison, classes: Sequence[str]) -> Iterator[str]:
    """Yield what a person reads."""
    yield (
        f"{spec.attack.trigger.name}: area under the ROC curve of triggered images against clean ones, 95 % interval; "
        f"flagged at a false-positive rate of {spec.asked:.0%} asked"
    )
    yield f"{'':22} {'against other classes':22} {'against target class':22} flagged: other, target, triggered"
    for one in found.scored:
        flagged = one.flagged
        parts = (flagged.false_positive_other, flagged.false_positive_target, flagged.detected)
        aucs = f"{_interval(one.against_other):22} {_interval(one.against_target):22}"
        yield f"{DETECTORS[one.detector].title:22} {aucs} {', '.join(_percent(part) for part in parts)}"
    if found.inverted is not None:
        named = [f"{classes[label]} ({found.inverted.scores[label]:.1f})" for label in found.inverted.suspicious]
        yield f"Neural Cleanse, anomaly index above 2: {', '.join(named) or 'no class'}"
    for name, reason in found.left_out:
        yield f"left out: {DETECTORS[name].title}: {reason}"
    for name in [one.detector for one in found.scored]:
        yield f"{DETECTORS[name].title} fails with: {DETECTORS[name].fails}"


def _interval(roc: Roc | None) -> str:
    return "-" if roc is None else f"{roc.auc.mean:.3f} [{roc.auc.low:.3f}, {roc.auc.high:.3f}]"


def _percent(share: Proportion) -> str:
    return "-" if share.value is None else f"{share.value:.0%}"
