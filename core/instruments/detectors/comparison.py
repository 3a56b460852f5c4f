"""All detectors on one model and the same inputs, as a generator of ever more of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.attacks.attack import Attack
from core.datasets.dataset import to_unit
from core.errors import InputError
from core.instruments.budgets import DETECTION
from core.instruments.detectors.inputs import Inputs, choose_inputs
from core.instruments.detectors.kinds import DETECTORS
from core.instruments.detectors.roc import Flagged, Roc, roc_of, share_flagged, threshold_for

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.poisoning import Poisoned
    from core.datasets import Dataset
    from core.instruments.predictor import Predictor


@dataclass(frozen=True, eq=False)
class Scored:
    """What one detector that scores images reached.

    Attributes
    ----------
    detector
        A name in `DETECTORS`.
    against_other, against_target
        ROC of triggered images against clean ones outside the target class, and against clean ones of it; None where
        there are none.
    flagged
        What a threshold for the false-positive rate asked for attains.
    note
        What the detector had to choose, in words; "" for nothing.
    """

    detector: str
    against_other: Roc
    against_target: Roc | None
    flagged: Flagged
    note: str = ""


@dataclass(frozen=True, eq=False)
class Inverted:
    """What trigger inversion says of each of K classes.

    Attributes
    ----------
    norms, scores, reached
        float64 [K], float64 [K] and bool [K]; see `core.instruments.detectors.neural_cleanse.Inversion`.
    suspicious
        Classes whose score exceeds 2, most suspicious first.
    """

    norms: np.ndarray
    scores: np.ndarray
    reached: np.ndarray
    suspicious: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """What the detectors reached so far.

    Attributes
    ----------
    share, doing
        How much is done, in [0, 1], and what is under way.
    scored
        Detectors that score images, in the order of `DETECTORS`.
    left_out
        Names of detectors that this model or training set does not suit -> why.
    inverted
        Trigger inversion, the best so far; None before it has begun.
    """

    share: float
    doing: str
    scored: tuple[Scored, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    inverted: Inverted | None = None


@dataclass(frozen=True)
class ComparisonSpec:
    """Everything that decides a comparison, given the model and its data set.

    Attributes
    ----------
    attack
        Whose trigger is to be detected.
    sigma, draws
        The noise of W.
    images
        Images a group, at most.
    asked
        The false-positive rate that thresholds are set for.
    seed
        Decides images, noise, overlays and batches.
    """

    attack: Attack
    sigma: float
    draws: int = DETECTION.draws
    images: int = DETECTION.images
    asked: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise InputError(f"Sigma is {self.sigma}; it must be above 0, in units of pixels in [0, 1].")
        if self.draws < 2 or self.images < 2:
            raise InputError(f"{self.draws} draws and {self.images} images are too few; ask for at least 2 of each.")
        if not 0 < self.asked < 1:
            raise InputError(f"A false-positive rate lies between 0 and 1; got {self.asked:g}.")


def compare_detectors(
    model: Callable[[Tensor], Tensor],
    predictor: Predictor,
    dataset: Dataset,
    spec: ComparisonSpec,
    poisoned: Poisoned | None = None,
) -> Iterator[Comparison]:
    """Let all detectors look at one model; yield after each, and while triggers are inverted.

    Parameters
    ----------
    model, predictor
        The model, and its fast form.
    dataset
        Its data set.
    spec
        What is compared.
    poisoned
        The training set as it was trained on; None if it is unknown, and then detectors that look at it are left out.
    """
    spec.attack.check(dataset)
    so_far = Comparison(0.0, DETECTORS["smoothness"].title)
    yield so_far
    inputs = choose_inputs(dataset, spec.attack, spec.images, spec.seed)
    by_image = _image_detectors(model, predictor, inputs, spec)
    work = [*by_image, "activation-clustering", "spectral-signatures", "neural-cleanse"]
    for number, name in enumerate(by_image):
        so_far = _with(so_far, name, lambda name=name: _scored(name, by_image[name], inputs, spec))
        so_far = replace(so_far, share=(number + 1) / (len(work) + 4), doing=DETECTORS[work[number + 1]].title)
        yield so_far
    yield (so_far := _with_training_set(so_far, model, poisoned, spec))
    yield from _with_inversion(so_far, model, dataset, spec)


def _with(so_far: Comparison, name: str, score: Callable[[], Scored]) -> Comparison:
    """Add what one detector reached, or why it does not suit this model."""
    try:
        return replace(so_far, scored=(*so_far.scored, score()))
    except InputError as error:
        return replace(so_far, left_out=(*so_far.left_out, (name, str(error))))


def _image_detectors(
    model: Callable[[Tensor], Tensor], predictor: Predictor, inputs: Inputs, spec: ComparisonSpec
) -> dict[str, Callable[[], tuple[Callable[[Tensor], np.ndarray], str]]]:
    """Return for each detector of images how to prepare it: a function of images, and a note."""
    from core.instruments.detectors.confidence import confidence_scores, margin_scores
    from core.instruments.detectors.dropout_shift import DropoutShift
    from core.instruments.detectors.scale_up import FACTORS, scale_up_scores
    from core.instruments.detectors.smoothness import smoothness_scores
    from core.instruments.detectors.strip import strip_scores

    def dropout() -> tuple[Callable[[Tensor], np.ndarray], str]:
        prepared = DropoutShift.prepare(model, inputs.held_out, spec.seed)
        return prepared.scores, f"dropout rate {prepared.rate:g}, which shifts {prepared.shifted:.0%} of clean answers"

    return {
        "smoothness": lambda: (
            lambda images: smoothness_scores(predictor, images, spec.sigma, spec.draws, spec.seed),
            f"sigma {spec.sigma:g}, {spec.draws} draws",
        ),
        "strip": lambda: (
            lambda images: strip_scores(predictor, images, inputs.held_out),
            f"{len(inputs.held_out)} overlays",
        ),
        "scale-up": lambda: (
            lambda images: scale_up_scores(predictor, images),
            f"factors {', '.join(map(str, FACTORS))}",
        ),
        "dropout-shift": dropout,
        "confidence": lambda: (lambda images: confidence_scores(predictor, images), ""),
        "margin": lambda: (lambda images: margin_scores(predictor, images), ""),
    }


def _scored(
    name: str, prepare: Callable[[], tuple[Callable[[Tensor], np.ndarray], str]], inputs: Inputs, spec: ComparisonSpec
) -> Scored:
    score, note = prepare()
    triggered, other = score(inputs.triggered), score(inputs.other)
    target = score(inputs.target) if len(inputs.target) else np.zeros(0)
    threshold = threshold_for(score(inputs.held_out), spec.asked)
    return _result(name, triggered, other, target, (spec.asked, threshold), note)


def _result(
    name: str,
    triggered: np.ndarray,
    other: np.ndarray,
    target: np.ndarray,
    limit: tuple[float, float],
    note: str,
) -> Scored:
    asked, threshold = limit
    return Scored(
        detector=name,
        against_other=roc_of(triggered, other),
        against_target=roc_of(triggered, target) if len(target) else None,
        flagged=Flagged(
            asked,
            threshold,
            share_flagged(other, threshold),
            share_flagged(target, threshold),
            share_flagged(triggered, threshold),
        ),
        note=note,
    )


def _with_training_set(
    so_far: Comparison, model: Callable[[Tensor], Tensor], poisoned: Poisoned | None, spec: ComparisonSpec
) -> Comparison:
    """Add the detectors that look at the training set: poisoned images against its clean ones."""
    from core.instruments.detectors.activation_clustering import activation_clustering_scores
    from core.instruments.detectors.features import last_features
    from core.instruments.detectors.spectral_signatures import spectral_scores

    so_far = replace(so_far, share=so_far.share + 3 / 13, doing=DETECTORS["neural-cleanse"].title)
    names = ("activation-clustering", "spectral-signatures")
    if poisoned is None or not len(poisoned.poisoned):
        reason = "No image of the training set is known to be poisoned, so there is nothing to find."
        return replace(so_far, left_out=(*so_far.left_out, *((name, reason) for name in names)))
    try:
        features = last_features(model, to_unit(poisoned.split.images))
    except InputError as error:
        return replace(so_far, left_out=(*so_far.left_out, *((name, str(error)) for name in names)))
    labels = poisoned.split.labels.numpy()
    for name, score in (
        (names[0], lambda: activation_clustering_scores(features, labels, seed=spec.seed)),
        (names[1], lambda: spectral_scores(features, labels)),
    ):
        so_far = _with(so_far, name, lambda name=name, score=score: _training_result(name, score(), poisoned, spec))
    return so_far


def _training_result(name: str, scores: np.ndarray, poisoned: Poisoned, spec: ComparisonSpec) -> Scored:
    """Compare poisoned with clean training images; cover samples, which are neither, are left out."""
    labels = poisoned.split.labels.numpy()
    clean = np.ones(len(labels), bool)
    clean[poisoned.poisoned] = clean[poisoned.covers] = False
    # The target's label is what poisoned images carry; all-to-all has as many targets as classes, and so no group.
    is_target = labels == (-1 if spec.attack.target is None else spec.attack.target)
    threshold = threshold_for(scores[clean], spec.asked)
    return _result(
        name,
        scores[poisoned.poisoned],
        scores[clean & ~is_target],
        scores[clean & is_target],
        (spec.asked, threshold),
        "the threshold is set on all clean training images, as if they were known",
    )


def _with_inversion(
    so_far: Comparison, model: Callable[[Tensor], Tensor], dataset: Dataset, spec: ComparisonSpec
) -> Iterator[Comparison]:
    from core.instruments.detectors.neural_cleanse import invert_triggers

    start = so_far.share
    chosen = np.random.default_rng([spec.seed, 0xC1EA]).permutation(len(dataset.train.labels))[:1000]
    try:
        for step in invert_triggers(model, to_unit(dataset.train.images[chosen]), seed=spec.seed):
            inverted = Inverted(step.norms, step.scores, step.reached, tuple(step.suspicious.tolist()))
            yield (so_far := replace(so_far, share=start + (1 - start) * step.share, inverted=inverted))
    except InputError as error:
        so_far = replace(so_far, left_out=(*so_far.left_out, ("neural-cleanse", str(error))))
    yield replace(so_far, share=1.0, doing="")
