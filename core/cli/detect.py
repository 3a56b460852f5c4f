"""`detect`: W and other detectors, on the same images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import AsJson, DataRoot, Place, RunName, Runs, Target, TriggerName
from core.cli.output import mean_as_json, say, say_json, share_as_json, share_bar
from core.cli.reading import run_and_attack
from core.instruments.budgets import DETECTION
from core.instruments.detectors import DETECTORS

if TYPE_CHECKING:
    from core.instruments.detectors.comparison import Comparison, ComparisonSpec
    from core.instruments.detectors.detector import ClassScores
    from core.instruments.detectors.roc import Roc, Scored
    from core.instruments.statistics import Estimate


def detect_command(
    run: RunName,
    sigma: Annotated[float | None, typer.Option(help="Noise of W. Default: noise of expected length 4.")] = None,
    draws: Annotated[int, typer.Option(help="Noise draws per image.")] = DETECTION.draws,
    images: Annotated[int, typer.Option(help="Most test images per group.")] = DETECTION.images,
    false_positives: Annotated[
        float, typer.Option(help="Allowed false-positive rate, which sets the thresholds.")
    ] = 0.05,
    seed: Annotated[int, typer.Option(help="Seed of images, noise, overlays and batches.")] = 0,
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
    *,
    settings: dict[str, dict[str, Any]],
) -> None:
    """Compare W with other detectors of backdoors, on the same images."""
    from core.instruments.detectors.comparison import ComparisonSpec, configured
    from core.instruments.smoothness import suggested_sigma
    from core.runs.measured.detectors import detect_run

    found, attack = run_and_attack(run, trigger, place, target, runs)
    noise = suggested_sigma(found.result.shape) if sigma is None else sigma
    spec = ComparisonSpec(attack, noise, draws, images, false_positives, seed, configured(settings))
    reached = None
    with share_bar("detecting:") as show:
        for reached in detect_run(found, spec, data_root):
            show(reached.share, reached.doing)
    assert reached is not None  # a comparison ends with a result or an error
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
        "detectors": {name: _scored(name, scored) for name, scored in found.by_image.items()},
        "classes": {name: _class_scores(name, scores) for name, scores in found.by_class.items()},
        "left_out": found.left_out,
    }


def _scored(name: str, scored: Scored) -> dict[str, Any]:
    flagged = scored.flagged
    return {
        "looks_at": DETECTORS[name].looks_at,
        "auc_against_other_classes": _auc(scored.against_other),
        "auc_against_target_class": None if scored.against_target is None else _auc(scored.against_target),
        "false_positive_rate_other_classes": share_as_json(flagged.false_positive_other),
        "false_positive_rate_target_class": share_as_json(flagged.false_positive_target),
        "detected": share_as_json(flagged.detected),
        "note": scored.note,
        **_words(name),
    }


def _class_scores(name: str, scores: ClassScores) -> dict[str, Any]:
    return {
        "scores": scores.scores.tolist(),
        "suspicious": list(scores.suspicious),
        "note": scores.note,
        **{key: values.tolist() for key, values in scores.details.items()},
        **_words(name),
    }


def _words(name: str) -> dict[str, str]:
    return {"fails": DETECTORS[name].fails, "source": DETECTORS[name].source}


def _auc(roc: Roc) -> dict[str, Any]:
    return {**mean_as_json(roc.auc), "positives": roc.positives, "negatives": roc.negatives}


def detection_lines(spec: ComparisonSpec, found: Comparison, classes: Sequence[str]) -> Iterator[str]:
    """Yield what a person reads."""
    yield (
        f"{spec.attack.trigger.name}: area under the ROC curve of triggered against clean images, 95% interval; "
        f"share flagged at an allowed false-positive rate of {spec.asked:.0%}"
    )
    yield f"{'':22} {'against other classes':22} {'against target class':22} flagged: other, target, triggered"
    for name, scored in found.by_image.items():
        flagged = scored.flagged
        shares = (flagged.false_positive_other, flagged.false_positive_target, flagged.detected)
        aucs = f"{_interval(scored.against_other):22} {_interval(scored.against_target):22}"
        yield f"{DETECTORS[name].title:22} {aucs} {', '.join(map(_percent, shares))}"
    for name, scores in found.by_class.items():
        named = [f"{classes[label]} ({scores.scores[label]:.1f})" for label in scores.suspicious]
        yield f"{DETECTORS[name].title}: suspicious: {', '.join(named) or 'no class'}. {scores.note}"
    for name, reason in found.left_out.items():
        yield f"left out: {DETECTORS[name].title}: {reason}"
    for name in (*found.by_image, *found.by_class):
        yield f"{DETECTORS[name].title} fails with: {DETECTORS[name].fails}"


def _interval(roc: Roc | None) -> str:
    return "-" if roc is None else f"{roc.auc.value:.3f} [{roc.auc.low:.3f}, {roc.auc.high:.3f}]"


def _percent(share: Estimate | None) -> str:
    return "-" if share is None else f"{share.value:.0%}"
