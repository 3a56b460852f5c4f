"""How well scores tell triggered from clean: ROC, AUC with its interval, and what a threshold really attains."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from core.errors import InputError
from core.instruments.statistics import Estimate, binomial_interval, roc_auc


@dataclass(frozen=True, eq=False)
class Roc:
    """One score's ROC curve. Higher scores are more suspicious; positives are the triggered images.

    Attributes
    ----------
    false_positive, true_positive
        Float64 [P], from (0, 0) to (1, 1).
    auc
        Area under the curve with its 95 % interval for more images: 1 perfect, 0.5 chance, 0 upside down.
    positives, negatives
        How many images of each.
    """

    false_positive: np.ndarray
    true_positive: np.ndarray
    auc: Estimate
    positives: int
    negatives: int


def roc_of(positive: ArrayLike, negative: ArrayLike) -> Roc:
    """Return the ROC of scores of triggered images against those of clean ones; InputError if a group is empty."""
    positive, negative = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
    auc = auc_interval(positive, negative)
    from sklearn.metrics import roc_curve

    truth = np.repeat([1, 0], [positive.size, negative.size])
    false_positive, true_positive, _ = roc_curve(truth, np.concatenate([positive, negative]))
    return Roc(false_positive, true_positive, auc, positive.size, negative.size)


def auc_interval(positive: ArrayLike, negative: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Return the AUC and its interval for more images of both groups, ties counted half.

    Newcombe's method 5: all areas whose standard error, by Hanley and McNeil's formula, puts the observed one within
    reach. Unlike DeLong's it does not shrink to a point where the groups do not overlap: ten images against ten, all
    told apart, give [0.80, 1], not [1, 1].

    References
    ----------
    R. Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic. Part 2",
    Statistics in Medicine 25 (2006). J. Hanley, B. McNeil, "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", Radiology 143 (1982).
    """
    from scipy.optimize import brentq

    positive, negative = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
    auc = roc_auc(positive, negative)
    reach, pairs = NormalDist().inv_cdf((1 + confidence) / 2), positive.size * negative.size
    others = (positive.size + negative.size) / 2 - 1

    def excess(area: float) -> float:
        variance = area * (1 - area) * (1 + others * ((1 - area) / (2 - area) + area / (1 + area))) / pairs
        return (auc - area) ** 2 - reach**2 * variance

    # Areas of 0 and 1 have no spread, so that they always solve the equation: the ends sought lie just inside.
    low = 0.0 if auc == 0 else float(np.asarray(brentq(excess, 0, min(auc, 1 - 1e-12))))
    high = 1.0 if auc == 1 else float(np.asarray(brentq(excess, max(auc, 1e-12), 1)))
    return Estimate(auc, low, high)


@dataclass(frozen=True)
class Flagged:
    """What flagging scores of `threshold` and more attains.

    Attributes
    ----------
    asked
        The false-positive rate that was asked for.
    threshold
        The lowest score at which at most that share of the held-out clean images is flagged, ties included; infinite
        where more than that share is tied at the top, so that nothing can be flagged.
    false_positive_other, false_positive_target
        Share of clean images that are flagged: outside the target class, and of it. Not those the threshold is from.
    detected
        Share of triggered images that are flagged.
    """

    asked: float
    threshold: float
    false_positive_other: Estimate | None
    false_positive_target: Estimate | None
    detected: Estimate | None


def threshold_for(clean: ArrayLike, asked: float) -> float:
    """Return the lowest threshold t such that at most a share of `asked` of clean scores is t or more."""
    if not 0 < asked < 1:
        raise InputError(f"A false-positive rate lies between 0 and 1; got {asked:g}.")
    scores = np.asarray(clean, np.float64)
    values, counts = np.unique(scores, return_counts=True)
    at_least = counts[::-1].cumsum()[::-1]
    allowed = values[at_least <= asked * scores.size + 1e-9]
    return float(allowed[0]) if allowed.size else float("inf")


def share_flagged(scores: ArrayLike, threshold: float) -> Estimate | None:
    """Return the share of scores that are the threshold or more, with its interval; None where there are no scores."""
    scores = np.asarray(scores, np.float64)
    if not scores.size:
        return None
    return binomial_interval(int((scores >= threshold).sum()), scores.size)


@dataclass(frozen=True, eq=False)
class Scored:
    """What one detector that scores images reached.

    Attributes
    ----------
    against_other, against_target
        ROC of triggered images against clean ones outside the target class, and against clean ones of it; None where
        there are none.
    flagged
        What a threshold for the false-positive rate asked for attains.
    note
        What the detector had to choose, in words; "" for nothing.
    """

    against_other: Roc
    against_target: Roc | None
    flagged: Flagged
    note: str = ""


def scored_groups(
    triggered: np.ndarray, other: np.ndarray, target: np.ndarray, held_out: np.ndarray, asked: float, note: str = ""
) -> Scored:
    """Return what scores of four groups of images reach, float64 [n] each.

    Parameters
    ----------
    triggered, other, target
        Images with the trigger; clean ones outside the target class, and of it (which may be none).
    held_out
        Clean images that the threshold is set on.
    asked, note
        The false-positive rate asked for; see `Scored`.
    """
    threshold = threshold_for(held_out, asked)
    return Scored(
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
