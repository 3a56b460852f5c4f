"""Intervals and paired tests for shares, means and orders. Distribution-free; nothing is drawn at random.

Every record carries what it rests on, so that no number is shown without its interval and its denominator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from core.errors import InputError


@dataclass(frozen=True)
class Estimate:
    """A number with the two ends of its interval: a mean, a share, an effect size, an area.

    `n` is the denominator where there is one: of how many images, or pairs of images, this is the share.
    """

    value: float
    low: float
    high: float
    n: int | None = None

    @property
    def count(self) -> int:
        """Of a share: how many of the `n`."""
        if self.n is None:
            raise InputError("Only a share counts something; this estimate has no denominator.")
        return round(self.value * self.n)


def binomial_interval(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """Share of successes with Clopper and Pearson's interval, which never covers less than it says.

    Parameters
    ----------
    successes, n
        How many, of how many; ``0 <= successes <= n`` and ``n >= 1``: there is no share of nothing.
    confidence
        Two-sided, in (0, 1).

    References
    ----------
    C. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26 (1934).
    """
    if not (0 <= successes <= n and n):
        raise InputError(f"{successes} successes of {n} is no share; give 0 <= successes <= n, and n of at least 1.")
    check_confidence(confidence)
    low, high = clopper_pearson(successes, n, (1 - confidence) / 2)
    return Estimate(successes / n, float(low), float(high), int(n))


def difference_of_shares(one: Estimate, other: Estimate) -> Estimate:
    """Return one share minus another, with the 95% interval that follows from both of theirs.

    The distances from the shares to the ends of their intervals are added as squares. That takes the two for
    independent; for shares of the same images, which go up and down together, the interval is too wide, never too
    narrow.

    References
    ----------
    R. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
    (1998), with Clopper and Pearson's intervals instead of Wilson's.
    """
    value = one.value - other.value
    low = value - np.hypot(one.value - one.low, other.high - other.value)
    high = value + np.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, float(low), float(high))


def clopper_pearson(successes: ArrayLike, n: ArrayLike, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Return both one-sided bounds of each share: its probability lies beyond either with a chance of `tail` at most.

    Parameters
    ----------
    successes, n
        int[...], of one shape; ``0 <= successes <= n`` and ``n >= 1``.
    tail
        In (0, 1).

    Returns
    -------
    low, high
        float64[...] each.
    """
    # betaincinv is beta.ppf without scipy.stats, whose import takes half a second.
    from scipy.special import betaincinv

    hits, misses = np.asarray(successes), np.asarray(n) - np.asarray(successes)
    low = np.where(hits > 0, betaincinv(np.maximum(hits, 1), misses + 1, tail), 0.0)
    high = np.where(misses > 0, betaincinv(hits + 1, np.maximum(misses, 1), 1 - tail), 1.0)
    return low, high


def bounded_mean_interval(values: ArrayLike, lowest: float, highest: float, confidence: float = 0.95) -> Estimate:
    """Interval for the mean of a population of which `values` are a random sample, knowing only that all lie in bounds.

    Gaffke's bound: the upper end is a quantile of the mean of the sample and one more value at `highest`, all weighted
    by Dirichlet(1, ..., 1); the lower end likewise with `lowest`. For values of 0 and 1 it is Clopper and Pearson's
    interval; for large samples it tends to the t interval. Unlike t and bootstrap intervals it stays honest where
    most values are equal and the rare ones were not drawn: eight zeros give [0, 0.37], not [0, 0]. That it never
    covers less than it says is conjectured, not proved; no case against it is known.

    Parameters
    ----------
    values
        float[N], N >= 1, independent draws from the population.
    lowest, highest
        What values can possibly be.
    confidence
        Two-sided, in (0, 1).

    References
    ----------
    N. Gaffke, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative
    variable", Mathematical Methods of Statistics 14 (2005); E. Learned-Miller, P. Thomas, "A new confidence interval
    for the mean of a bounded random variable", arXiv 1905.06208 (2019).
    """
    x = np.asarray(values, dtype=np.float64)
    check_confidence(confidence)
    if x.ndim != 1 or x.size == 0:
        raise InputError(f"A mean needs one value or more in one dimension, not the shape {x.shape}; add images.")
    if not (np.isfinite(x).all() and x.min() >= lowest - 1e-9 and x.max() <= highest + 1e-9):
        raise InputError(f"Values must lie in [{lowest:g}, {highest:g}]; normalise them first.")
    tail = (1 - confidence) / 2
    scaled = np.clip((x - lowest) / (highest - lowest), 0, 1)
    high, low = _gaffke_upper(scaled, tail), 1 - _gaffke_upper(1 - scaled, tail)
    low, high = (float(lowest + (highest - lowest) * end) for end in (low, high))
    return Estimate(float(x.mean()), low, high)


def probability_lower(w_triggered: ArrayLike, w_clean: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Effect size of pairs: the share of images with W lower with the trigger than without it, ties counted as half.

    1 means smoother with the trigger on every image, 0.5 no preference, 0 rougher on every image.

    Parameters
    ----------
    w_triggered, w_clean
        float[N], W of the same images in the same order.
    confidence
        Of the interval for *more images*, `bounded_mean_interval` on the scores 0, 1/2 and 1.
    """
    clean, triggered = check_pairs(w_clean, w_triggered)
    scores = (triggered < clean) + 0.5 * (triggered == clean)
    interval = bounded_mean_interval(scores, 0, 1, confidence)
    return replace(interval, n=len(scores))


def wilcoxon_paired(w_clean: ArrayLike, w_triggered: ArrayLike) -> float:
    """Two-sided p of Wilcoxon's signed-rank test that W is the same with and without the trigger.

    Ties are ranked with the rest and their ranks split between both signs (`zero_method="zsplit"`), so that a few
    images that differ among many that do not are no evidence. All ties give 1.

    Parameters
    ----------
    w_clean, w_triggered
        float[N], W of the same images in the same order.
    """
    clean, triggered = check_pairs(w_clean, w_triggered)
    if (triggered == clean).all():
        return 1.0
    from scipy.stats import wilcoxon

    return float(np.asarray(wilcoxon(clean, triggered, zero_method="zsplit"))[1])


def rank_correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Return Spearman's rank correlation, float[N] each; ties share their mean rank, nan where either is constant."""
    from scipy.stats import spearmanr

    return float(np.asarray(spearmanr(x, y))[0])


def roc_auc(scores_positive: ArrayLike, scores_negative: ArrayLike) -> float:
    """Area under the ROC curve of a score that should be *higher* for positives: 1 perfect, 0.5 chance, 0 reversed.

    Where a low score marks the positives, as a low W would mark triggered images, pass minus the score.
    """
    positive, negative = (np.asarray(s, dtype=np.float64).ravel() for s in (scores_positive, scores_negative))
    if positive.size == 0 or negative.size == 0:
        raise InputError("An AUC compares two groups and one of them is empty; give scores for both.")
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([1, 0], [positive.size, negative.size])
    return float(roc_auc_score(truth, np.concatenate([positive, negative])))


def check_pairs(w_clean: ArrayLike, w_triggered: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """W of the same images without and with a trigger as float64[N] each; raises InputError where they are no pairs."""
    clean, triggered = (np.asarray(w, dtype=np.float64) for w in (w_clean, w_triggered))
    if clean.shape != triggered.shape or clean.ndim != 1 or clean.size == 0:
        raise InputError(
            f"Pairs need one W without and one with the trigger for each image, not the shapes {clean.shape} "
            f"and {triggered.shape}; measure both on the same images."
        )
    return clean, triggered


def check_confidence(confidence: float) -> None:
    """Raise InputError unless 0 < confidence < 1."""
    if not 0 < confidence < 1:
        raise InputError(f"A confidence of {confidence:g} is not in (0, 1); 0.95 is usual.")


def _gaffke_upper(x: np.ndarray, tail: float) -> float:
    """The 1 - tail quantile of a mean of x in [0, 1] and one value of 1 under Dirichlet(1, ..., 1) weights."""
    from scipy.optimize import brentq

    values, count = np.unique(np.append(x, 1.0), return_counts=True)
    if len(values) == 1:
        return 1.0
    terms = len(x) + 1
    mean = float(count @ values) / terms
    deviation = np.sqrt(float(count @ (values - mean) ** 2) / (terms * (terms + 1)))
    # Cantelli's inequality holds the quantile between these two.
    least = mean - deviation * np.sqrt(tail / (1 - tail))
    most = min(mean + deviation * np.sqrt((1 - tail) / tail), 1 - 1e-12)
    return float(np.asarray(brentq(lambda c: _above_zero(values - c, count) - tail, least, most, xtol=1e-8)))


def _above_zero(scale: np.ndarray, count: np.ndarray) -> float:
    """P(sum of scale times Gamma(count) > 0) from the characteristic function (Gil-Pelaez), exact to about 1e-8.

    Dirichlet(1, ..., 1) weights are standard exponentials over their sum, so a weighted mean of x exceeds c exactly
    where the sum of exponentials times x - c exceeds 0. The integral runs over log t, where the integrand is smooth,
    so that the trapezoid rule converges exponentially; below the first t it is a straight line, summed in closed form.
    """
    step, block = 0.05, 32
    scale = scale / np.sqrt(count @ scale**2)
    t = 1e-4 * np.exp(step * np.arange(block))
    integral = t[0] * float(count @ scale) * step / np.expm1(step)
    modulus = np.ones(1)
    while modulus[-1] > 1e-10:
        angle = np.multiply.outer(t, scale)
        modulus = np.exp(-0.5 * (np.log1p(angle**2) @ count))
        integral += step * float(modulus @ np.sin(np.arctan(angle) @ count))
        t = t * np.exp(step * block)
    return 0.5 + integral / np.pi
