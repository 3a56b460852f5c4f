"""From a trained model to rows of a study's table: W with and without a trigger, and what it is compared with."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from core.attacks.attack import Attack
from core.datasets import Dataset
from core.instruments.statistics import Estimate
from core.runs.measured.spec import MeasureSpec, make_measure_spec
from core.runs.measured.w import Measured, Measurement, measure_model, measure_with
from core.runs.run import DoneRun
from core.studies.cell import PatternSearch, TestCondition
from core.studies.columns import Labels, Row
from core.training.spec import RunSpec

if TYPE_CHECKING:
    from core.attacks.patterns.step import Step
    from core.attacks.triggers import AnyTrigger
    from core.instruments.predictor import Predictor

# Far finer than every interval, and the tables stay readable.
DECIMALS = 6
# A pattern is compared with the mean of this many random ones, which are different for each model.
RANDOM_PATTERNS = 5


class CellMeter:
    """Measures rows of one run.

    Parameters
    ----------
    spec, run
        What was trained, and the finished training.
    dataset
        What it was trained on.
    """

    def __init__(self, spec: RunSpec, run: DoneRun, dataset: Dataset) -> None:
        self.spec, self.run, self.dataset = spec, run, dataset
        self.predictor: Predictor = run.predictor(threads=1)

    def condition_rows(self, labels: Labels, condition: TestCondition) -> Iterator[tuple[MeasureSpec, Row]]:
        """Yield each measurement of a condition with its row."""
        success = self._success(condition.measures[0].attack)
        for spec in condition.measures:
            yield spec, self._row(labels, measure_with(self.run, spec, self.predictor, self.dataset), success)

    def pattern_rows(self, labels: Labels, pattern: PatternSearch) -> Iterator[Row]:
        """Search for a pattern on the model; yield its row at each sigma, compared with random patterns."""
        bound, found, randoms = self._search(pattern)
        success = self._success(Attack(trigger=found, target=pattern.target))
        for sigma in pattern.sigmas:
            measured = self._measure_pattern(pattern, found, sigma)
            row, gap = self._row(labels, measured, success), _rounded(measured.gap.value)
            gaps = [self._measure_pattern(pattern, random, sigma).gap.value for random in randoms]
            random_gap = _rounded(float(np.mean([_rounded(of_random) for of_random in gaps])))
            beyond = _rounded(gap - random_gap)
            yield replace(
                row, control_gap=random_gap, gap_beyond_control=beyond, bound=bound, made_for=pattern.made_for
            )

    def _search(self, pattern: PatternSearch) -> tuple[float | None, AnyTrigger, list[AnyTrigger]]:
        """Return the pattern's bound, the trigger that was found, and random ones of equal norm."""
        from core.attacks.patterns import PatternSpec, find_pattern, search_pattern

        model, no_images, seed = self.run.model(), np.zeros(0, np.int64), self.spec.seed
        fields = find_pattern(pattern.kind).model_fields
        settings: dict[str, float] = {}
        if "bound" in fields and pattern.bound is not None:
            settings["bound"] = pattern.bound
        if "target" in fields and fields["target"].is_required():  # others would aim at the class if it were named
            settings["target"] = pattern.target
        wanted = PatternSpec(pattern.kind, settings, sigma=pattern.made_for, seed=seed)
        *_, last = search_pattern(wanted, model, self.dataset, no_images)
        seeds = range(RANDOM_PATTERNS * seed, RANDOM_PATTERNS * (seed + 1))
        specs = [PatternSpec("random", trigger=_trigger(last), seed=random_seed) for random_seed in seeds]
        randoms = [step for spec in specs for step in search_pattern(spec, model, self.dataset, no_images)]
        return getattr(wanted.pattern, "bound", None), _trigger(last), [_trigger(step) for step in randoms]

    def _measure_pattern(self, pattern: PatternSearch, trigger: AnyTrigger, sigma: float) -> Measurement:
        spec = make_measure_spec(
            trigger=trigger, target=pattern.target, sigma=sigma, images=pattern.images, draws=pattern.draws
        )
        return measure_model(self.predictor, self.dataset, spec)

    def _success(self, attack: Attack) -> Estimate | None:
        from core.instruments.evaluation import attack_success

        return attack_success(self.predictor, self.dataset.test, attack, len(self.dataset.classes)).rate

    def _row(self, labels: Labels, measured: Measurement, success: Estimate | None) -> Row:
        from core.instruments.statistics import roc_auc

        spec, run, result = measured.spec, self.spec, self.run.result
        clean, triggered, flipped = measured.clean, measured.triggered, measured.flipped
        w_clean_flipped, w_triggered_flipped = measured.part(flipped) or (None, None)
        w_clean_not_flipped, w_triggered_not_flipped = measured.part(~flipped) or (None, None)
        entropy_correlation, misclassified_auc = self._what_w_measures(measured)
        return Row(
            **vars(labels),
            noise=spec.noise,
            sigma=spec.sigma,
            images=len(measured.chosen),
            draws=spec.draws,
            clean_accuracy=_rounded(result.clean_accuracy.value),
            attack_success_rate=_rounded_if_known(success and success.value),
            attack_success_rate_low=_rounded_if_known(success and success.low),
            attack_success_rate_high=_rounded_if_known(success and success.high),
            attacked_images=success.n if success else 0,
            w_clean=_rounded(clean.mean.value),
            w_triggered=_rounded(triggered.mean.value),
            gap=_rounded(measured.gap.value),
            gap_low=_rounded(measured.gap.low),
            gap_high=_rounded(measured.gap.high),
            effect_size=_rounded(measured.p_lower.value),
            detection_auc=_rounded(roc_auc(-triggered.w, -clean.w)),
            predicted_as_target=len(measured.target_chosen),
            w_predicted_as_target=_mean(measured.target_class.w) if len(measured.target_chosen) else None,
            flipped=int(flipped.sum()),
            w_clean_flipped=_rounded_if_known(w_clean_flipped),
            w_triggered_flipped=_rounded_if_known(w_triggered_flipped),
            w_clean_not_flipped=_rounded_if_known(w_clean_not_flipped),
            w_triggered_not_flipped=_rounded_if_known(w_triggered_not_flipped),
            target_share_clean=_target_share(clean, spec.attack.target),
            target_share_triggered=_target_share(triggered, spec.attack.target),
            modal_class_clean=clean.pooled_class,
            modal_share_clean=_rounded(clean.pooled_share()),
            modal_class_triggered=triggered.pooled_class,
            modal_share_triggered=_rounded(triggered.pooled_share()),
            confidence_clean=_mean(clean.confidence),
            confidence_triggered=_mean(triggered.confidence),
            margin_clean=_mean(clean.margin),
            margin_triggered=_mean(triggered.margin),
            entropy_correlation=_rounded_if_known(entropy_correlation),
            misclassified_auc=_rounded_if_known(misclassified_auc),
            device=run.device,
            precision=run.precision,
            threads=run.threads,
            votes_in=str(self.predictor.dtype).removeprefix("torch."),
            torch=result.torch,
            processor=result.processor,
            seconds=result.seconds,
            host=platform.node(),
        )

    def _what_w_measures(self, measured: Measurement) -> tuple[float | None, float | None]:
        """Relate W of the clean images to the softmax without noise, and to its mistakes."""
        from core.datasets.dataset import to_unit

        images = to_unit(self.dataset.test.images[measured.chosen])
        logits = self.predictor.logits(images).double().log_softmax(1)
        softmax_entropy = -(logits.exp() * logits).sum(1).numpy()
        return entropy_and_mistakes(measured.clean.w, softmax_entropy, measured.clean.predicted != measured.true)


def entropy_and_mistakes(
    w: np.ndarray, softmax_entropy: np.ndarray, wrong: np.ndarray
) -> tuple[float | None, float | None]:
    """Return the rank correlation of W with the entropy of the softmax, and the AUC of W for misclassified images.

    Parameters
    ----------
    w, softmax_entropy
        float [N], of the same images.
    wrong
        bool [N], whether the model misclassifies them without noise.

    Returns
    -------
    tuple
        The correlation, None where either is the same for all images; the AUC, None where no image or every image is
        misclassified.
    """
    from core.instruments.statistics import rank_correlation, roc_auc

    varies = len(w) > 1 and (w != w[0]).any() and (softmax_entropy != softmax_entropy[0]).any()
    mixed = wrong.any() and not wrong.all()
    return rank_correlation(w, softmax_entropy) if varies else None, roc_auc(w[wrong], w[~wrong]) if mixed else None


def _target_share(side: Measured, target: int | None) -> float | None:
    return None if target is None else _rounded(float(side.votes[:, target].sum() / side.votes.sum()))


def _mean(values: np.ndarray) -> float:
    return round(float(values.mean()), DECIMALS)


def _rounded(value: float) -> float:
    return round(float(value), DECIMALS)


def _rounded_if_known(value: float | None) -> float | None:
    return None if value is None else _rounded(value)


def _trigger(step: Step) -> AnyTrigger:
    return cast("AnyTrigger", step.found)  # a study searches only for kinds of patterns that are one trigger
