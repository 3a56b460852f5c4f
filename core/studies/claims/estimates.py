"""Means and rank correlations over the runs of several seeds, with intervals and tests; the seed is the unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core.instruments import statistics

LEVEL = 0.05
# A rank correlation over fewer runs has no valid interval.
FEWEST_RUNS = 8
# A jackknife's standard error below this, on Fisher's scale, means that leaving a seed out changed nothing.
_NO_SPREAD = 1e-6


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval and the p values of two tests.

    Attributes
    ----------
    value, low, high
        The value and its interval.
    p
        Of the test that the true value is 0.
    p_equivalent
        Of the test that the true value lies beyond a margin, on either side (two one-sided tests).
    """

    value: float
    low: float
    high: float
    p: float
    p_equivalent: float


def mean_estimate(
    values: ArrayLike, margin: float, back: Callable[[float], float] = lambda value: value
) -> Estimate | None:
    """Estimate a mean from one value a seed by Student's t; None below two seeds.

    Parameters
    ----------
    values
        One independent value for each seed.
    margin
        Means between minus and plus this count as no effect, on the scale of the values.
    back
        Increasing function from the scale of the values to the one that people read.
    """
    x = np.asarray(values, np.float64)
    if len(x) < 2:
        return None
    return _estimate(float(x.mean()), float(x.std(ddof=1) / np.sqrt(len(x))), len(x) - 1, margin, back)


def rank_estimate(x: ArrayLike, y: ArrayLike, seeds: ArrayLike, margin: float) -> Estimate | None:
    """Estimate Spearman's rank correlation over runs, with seeds as the independent units.

    Runs of one seed share their control and their initial weights, so the usual p value, which assumes that all runs
    are independent, does not hold. The interval is a jackknife's that leaves out one seed at a time, on Fisher's scale
    (the inverse hyperbolic tangent). Where leaving a seed out changes nothing, because all seeds order their runs alike
    or nearly perfectly, its standard error is at least that of as many independent runs, 1.03 / sqrt(n - 3).

    Parameters
    ----------
    x, y, seeds
        Two values and the seed of each run.
    margin
        Correlations between minus and plus this count as no effect.

    Returns
    -------
    Estimate or None
        None if there are fewer than `FEWEST_RUNS` runs or two seeds, or if either value is the same for all runs,
        whichever seed is left out.
    """
    x, y, seeds = np.asarray(x, np.float64), np.asarray(y, np.float64), np.asarray(seeds)
    units = np.unique(seeds)
    if len(units) < 2 or len(x) < FEWEST_RUNS:
        return None
    # Half a step below 1: a perfect order of n runs is compatible with nearly perfect ones.
    most = 1 - 1 / (2 * len(x))
    whole = _fisher(x, y, most)
    left_out = [_fisher(x[seeds != unit], y[seeds != unit], most) for unit in units]
    known = np.array([value for value in left_out if value is not None])
    if whole is None or len(known) < len(units):
        return None
    n = len(units)
    error = float(np.sqrt((n - 1) / n * np.sum((known - np.mean(known)) ** 2)))
    if error < _NO_SPREAD or np.abs(known).max() >= np.arctanh(most):
        error = max(error, 1.03 / float(np.sqrt(len(x) - 3)))
    return _estimate(whole, error, n - 1, float(np.arctanh(margin)), np.tanh)


def _fisher(x: np.ndarray, y: np.ndarray, most: float) -> float | None:
    """Return the rank correlation, at most `most`, on Fisher's scale; None if either does not vary."""
    correlation = rank_correlation(x, y)
    return None if correlation is None else float(np.arctanh(np.clip(correlation, -most, most)))


def _estimate(value: float, error: float, freedom: int, margin: float, back: Callable[[float], float]) -> Estimate:
    """Return value, interval and both tests from a standard error; `back` leads to the scale that people read."""
    if error <= 1e-12:  # all seeds agree to the last digit
        shown = float(back(value))
        return Estimate(shown, shown, shown, float(abs(value) <= 1e-12), float(abs(value) >= margin))
    from scipy.special import stdtr, stdtrit

    reach = float(stdtrit(freedom, 1 - LEVEL / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(value) / error))
    p_equivalent = max(float(stdtr(freedom, (side * value - margin) / error)) for side in (1, -1))
    low, high = float(back(value - reach)), float(back(value + reach))
    return Estimate(float(back(value)), low, high, p, p_equivalent)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p values corrected by Holm's step-down rule; None stays None and is not counted as a test.

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, place) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * p))
        corrected[place] = least
    return corrected


def rank_correlation(x: ArrayLike, y: ArrayLike) -> float | None:
    """Return Spearman's rank correlation; None below three values or where either does not vary."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return statistics.rank_correlation(x, y)


def partial_rank_correlation(x: np.ndarray, y: np.ndarray, given: np.ndarray) -> float | None:
    """Return Spearman's correlation of x and y given a third variable; None where that decides x or y already."""
    xy, xz, yz = (statistics.rank_correlation(a, b) for a, b in ((x, y), (x, given), (y, given)))
    left = (1 - xz**2) * (1 - yz**2)
    return (xy - xz * yz) / float(np.sqrt(left)) if left > 1e-9 else None


def mean_of_known(values: ArrayLike) -> float | None:
    """Return the mean of the values that are known (not NaN); None if there is none."""
    x = np.asarray(values, np.float64)
    x = x[~np.isnan(x)]
    return float(np.mean(x)) if len(x) else None
