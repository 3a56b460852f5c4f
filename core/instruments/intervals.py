"""Intervals for W, of one image and of the mean over images, whose coverage is simulated.

What each interval means, how it is made and how often it holds the truth is in ``docs/estimators.md``; the tables
there are printed by ``python -m core.benchmarks.coverage``.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from core.errors import InputError
from core.instruments.estimators import chao_wang_jost, check_votes, entropy_nats, plug_in
from core.instruments.simulated_votes import REPLICATES, Family, flat_entropies
from core.instruments.statistics import Estimate, bounded_mean_interval, check_pairs

MOST_DRAWS = 65535
"""Intervals are simulated for up to so many draws of an image."""


def entropy_interval(votes: ArrayLike, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Interval for the entropy behind each row of votes: where W would settle with ever more draws of this image.

    All distributions of the family p ~ q^beta, q being the observed shares with the classes seen at most once made
    equal, from flat (beta = 0) to one-hot (beta to infinity), whose simulated plug-in entropies do not put the
    observed one into a tail. The interval always holds the corrected estimate.

    Parameters
    ----------
    votes
        int[N, K].
    confidence
        Two-sided, from 0.5 to 0.99.

    Returns
    -------
    low, high
        float64[N] each, divided by log K.
    """
    votes = check_votes(votes)
    low, high, _ = _readings(votes, confidence)
    scale = float(np.log(votes.shape[1]))
    return low / scale, high / scale


def mean_interval_monte_carlo(votes: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean W of these very images, and where it would settle with ever more draws of them (normalised by log K).

    The images' own intervals are combined as variances are, since images have independent noise (Zou and Donner's
    method of variance estimates recovery). What rare classes may hide lies the same way for all images and is added
    in full: the interval holds both the mean of the corrected estimates and the one with rare votes spread evenly.

    Parameters
    ----------
    votes
        int[N, K], N >= 1.
    confidence
        Two-sided, from 0.5 to 0.99.

    References
    ----------
    G. Y. Zou, A. Donner, "Construction of confidence limits about effect measures: a general approach", Statistics in
    Medicine 27 (2008).
    """
    return _Spread.of(check_votes(votes), confidence).mean(lowest=0.0)


def mean_interval_sampling(w: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean W of a random sample of images, and where it would settle with ever more images.

    `core.instruments.statistics.bounded_mean_interval` on [0, 1]: honest for small sets and where most W are 0.

    Parameters
    ----------
    w
        float[N], W of each image, normalised by log K.
    confidence
        Two-sided, in (0, 1).
    """
    return bounded_mean_interval(w, 0, 1, confidence)


def gap_interval_monte_carlo(votes_clean: ArrayLike, votes_triggered: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean of W clean minus W triggered over these very images, and where it would settle with ever more draws.

    An image and its triggered version share their noise, and how that ties their votes together is not in the
    counts. So the reaches of both intervals are added, which holds whatever the dependence: at worst sqrt 2 wider
    than for independent noise, and hardly wider where one of the two is one-hot. Across images they are combined as in
    `mean_interval_monte_carlo`.
    """
    return _paired(votes_clean, votes_triggered, confidence).mean(lowest=-1.0)


def gap_interval_sampling(w_clean: ArrayLike, w_triggered: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean of W clean minus W triggered, and where it would settle with ever more images: pairs in [-1, 1]."""
    clean, triggered = check_pairs(w_clean, w_triggered)
    return bounded_mean_interval(clean - triggered, -1, 1, confidence)


def check_simulated(confidence: float) -> None:
    """Raise InputError unless the simulations are fine enough for this confidence."""
    if not 0.5 <= confidence <= 0.99:
        raise InputError(
            f"A confidence of {confidence:g} is beyond what is simulated; use one from 0.5 to 0.99, say 0.95."
        )


class _Reading(NamedTuple):
    """What the counts of one image say about its entropy, in nats."""

    low: float
    high: float
    # The estimate if classes that were seen at most once are equally likely.
    even: float


@lru_cache(maxsize=16384)
def _read(counts: tuple[int, ...], confidence: float) -> _Reading:
    """Reading of counts that are sorted down."""
    family, tail = Family.through(counts), (1 - confidence) / 2
    observed = float(plug_in(np.array([counts]))[0])
    flat = flat_entropies(family.n, len(counts))
    low, high, even = 0.0, float(np.log(len(counts))), 0.0
    if (flat <= observed + 1e-9).mean() <= tail:
        high = _end(family, observed, tail, side=1)
    if observed > 0:
        # Votes flatter than flat ones usually are would give an interval too narrow to believe: not used as evidence.
        low = _end(family, min(observed, float(np.median(flat))), tail, side=-1)
        even = observed + family.plug_in_bias()
    estimate = float(np.clip(chao_wang_jost(np.array([counts])), 0, np.log(len(counts)))[0])
    return _Reading(min(low, estimate), max(high, estimate), even)


def _end(family: Family, observed: float, tail: float, side: int) -> float:
    """Entropy where a share of `tail` of the simulations is at most (side 1) or at least (side -1) the observed one.

    A safeguarded secant in beta: the probit of that share is nearly straight, and its slope known at the start.
    """
    beta = max(1 - side * _probit(1 - tail) / np.sqrt(family.information(1.0)), 0.01)
    ends: dict[bool, tuple[float, float]] = {}
    for _ in range(20):
        simulated = family.plug_in_entropies(beta)
        share = (side * simulated <= side * observed + 1e-9).mean()
        excess = side * (_probit(share) - _probit(tail))
        if abs(excess) < 0.03:
            break
        ends[excess > 0] = beta, excess
        last = beta
        if len(ends) == 2:
            (a, at_a), (b, at_b) = ends[False], ends[True]
            beta = a + (b - a) * min(max(at_a / (at_a - at_b), 0.1), 0.9)
        else:
            step = 1.2 * excess / np.sqrt(family.information(beta))
            beta = min(max(beta - step, beta / 4), 8 * beta + 1)
        if abs(entropy_nats(family.shares(beta)) - entropy_nats(family.shares(last))) < 1e-5:
            break
    return float(entropy_nats(family.shares(beta)))


def _probit(share: float) -> float:
    least = 0.5 / REPLICATES
    return NormalDist().inv_cdf(min(max(share, least), 1 - least))


def _readings(votes: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return low, high and even of each row's reading, float64[N] each."""
    check_simulated(confidence)
    if votes.sum(axis=1).max(initial=0) > MOST_DRAWS:
        raise InputError(f"Intervals are simulated for up to {MOST_DRAWS} draws an image; use fewer draws.")
    rows = [tuple(row) for row in np.sort(votes, axis=1)[:, ::-1].tolist()]
    # In the order of n, so that each table of simulated votes is made once.
    found = {counts: _read(counts, float(confidence)) for counts in sorted(set(rows), key=sum)}
    low, high, even = np.array([found[counts] for counts in rows]).reshape(-1, 3).T
    return low, high, even


class _Spread(NamedTuple):
    """Estimates that may be averaged, normalised: float64[N] each.

    `centre` is W before it is clipped, since clipping single images would bias a mean. `below` and `above` are how
    far chance may have moved each. `less` and `more` are how much lower or higher it would be with the rare votes
    spread evenly: of no account for one image, but the same way for all images, so that averaging does not help.
    """

    centre: np.ndarray
    below: np.ndarray
    above: np.ndarray
    less: float
    more: float

    @classmethod
    def of(cls, votes: np.ndarray, confidence: float) -> _Spread:
        scale = np.log(votes.shape[1])
        centre = chao_wang_jost(votes) / scale
        low, high, even = (part / scale for part in _readings(votes, confidence))
        below, above = (centre - low).clip(0), (high - centre).clip(0)
        # Where W may be 1, `high` is where W ends and not how far the unclipped estimate scatters.
        above = np.where(high > 1 - 1e-9, np.maximum(above, below), above)
        hidden = float((even - centre).mean()) if len(votes) else 0.0
        return cls(centre, below, above, max(-hidden, 0), max(hidden, 0))

    def minus(self, other: _Spread) -> _Spread:
        """Return the differences; whatever ties the two together, since reaches are added."""
        return _Spread(
            self.centre - other.centre,
            self.below + other.above,
            self.above + other.below,
            self.less + other.more,
            self.more + other.less,
        )

    def mean(self, lowest: float) -> Estimate:
        """Mean of independent images within [lowest, 1]."""
        n = len(self.centre)
        if n == 0:
            raise InputError("A mean needs one image or more, and there is none; choose some images.")
        mean = float(self.centre.mean())
        # So that the interval also holds the mean of the clipped W, which is what is listed.
        low = min(mean, float(self.centre.clip(lowest, 1).mean())) - self.less - float(np.linalg.norm(self.below)) / n
        high = mean + self.more + float(np.linalg.norm(self.above)) / n
        value, low, high = (min(max(end, lowest), 1.0) for end in (mean, low, high))
        return Estimate(value, low, high)


def _paired(votes_clean: ArrayLike, votes_triggered: ArrayLike, confidence: float) -> _Spread:
    clean, triggered = check_votes(votes_clean), check_votes(votes_triggered)
    if clean.shape != triggered.shape:
        raise InputError(
            f"Votes of {clean.shape} and of {triggered.shape} are no pairs; measure both on the same images and model."
        )
    return _Spread.of(clean, confidence).minus(_Spread.of(triggered, confidence))
