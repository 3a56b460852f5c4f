"""Detectors on one run, and their results in the run's directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from core.attacks.poisoning import Poisoned
from core.identity import content_hash
from core.instruments.detectors.comparison import Comparison, ComparisonSpec, compare_detectors
from core.instruments.detectors.detector import ClassScores, Suspect
from core.instruments.detectors.roc import Flagged, Roc, Scored
from core.instruments.statistics import Estimate
from core.runs.measured.cache import Kept
from core.runs.run import DoneRun, Run
from core.training.spec import RunSpec

# Raised whenever a detector's scores change, so that stored results keep their own names.
_RECIPE = 2


def detect_run(run: Run, spec: ComparisonSpec, data_root: Path | str | None = None) -> Iterator[Comparison]:
    """Examine a done run with all detectors; yield ever more of them. What was done before comes from its directory.

    Parameters
    ----------
    run
        A done run.
    spec
        Whose trigger is to be detected, and on what. With the attack that the run was trained with, detectors of the
        training set look at the poisoned images, which are chosen and stamped again as then.
    data_root
        Folder of the data.

    Raises
    ------
    InputError
        The run is not done, or the attack does not suit its data set.
    """
    return _kept(spec).steps(run, lambda: _compare(run.finished(), spec, data_root))


def stored_comparison(run: Run, spec: ComparisonSpec) -> Comparison | None:
    """Return what the detectors made of a run if they were run before and it can be read."""
    return _kept(spec).look_up(run)


def _compare(run: DoneRun, spec: ComparisonSpec, data_root: Path | str | None) -> Iterator[Comparison]:
    poisoned = _poisoned(run, spec, data_root)
    return compare_detectors(Suspect(run.model(), run.predictor(), run.dataset(data_root), spec, poisoned))


def comparison_name(spec: ComparisonSpec) -> str:
    """Return the name of a comparison on one run: 12 hexadecimal digits."""
    return content_hash([_RECIPE, *spec.identity])


def _poisoned(run: Run, spec: ComparisonSpec, data_root: Path | str | None) -> Poisoned | None:
    """Return the training set as the run was trained on it, if that is known and about this attack."""
    from core.training.loop import poison_for

    trained = run.spec
    if not isinstance(trained, RunSpec) or trained.attack != spec.attack:
        return None
    return poison_for(trained, run.dataset(data_root))


def _kept(spec: ComparisonSpec) -> Kept[Comparison]:
    return Kept(f"detect-{comparison_name(spec)}.json", _to_json, lambda content: _from_json(json.loads(content)))


def _to_json(comparison: Comparison) -> bytes:
    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.tolist()
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return None if value == float("inf") else value

    return json.dumps(plain(asdict(comparison)), indent=1).encode()


def _from_json(content: dict[str, Any]) -> Comparison:
    return Comparison(
        share=content["share"],
        doing=content["doing"],
        by_image={name: _scored(part) for name, part in content["by_image"].items()},
        by_class={name: _class_scores(part) for name, part in content["by_class"].items()},
        left_out=content["left_out"],
    )


def _scored(content: dict[str, Any]) -> Scored:
    flagged = content["flagged"]
    names = ("false_positive_other", "false_positive_target", "detected")
    shares = {name: flagged[name] and Estimate(**flagged[name]) for name in names}
    threshold = float("inf") if flagged["threshold"] is None else flagged["threshold"]
    return Scored(
        against_other=_roc(content["against_other"]),
        against_target=_roc(content["against_target"]) if content["against_target"] else None,
        flagged=Flagged(asked=flagged["asked"], threshold=threshold, **shares),
        note=content["note"],
    )


def _roc(content: dict[str, Any]) -> Roc:
    return Roc(
        np.array(content["false_positive"]),
        np.array(content["true_positive"]),
        Estimate(**content["auc"]),
        content["positives"],
        content["negatives"],
    )


def _class_scores(content: dict[str, Any]) -> ClassScores:
    details = {name: np.array(values) for name, values in content["details"].items()}
    return ClassScores(np.array(content["scores"]), tuple(content["suspicious"]), content["note"], details)
