"""W from votes: entropy estimators.

Votes are how often each of K classes was predicted among n noisy copies of one image: int[N, K], each row sums to
its n (rows may differ). Every routine here, and in `core.instruments.intervals`, looks at an image's sorted counts
only, so its numbers depend neither on its neighbours nor on the call.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from core.errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Float64, Int64

ESTIMATORS = ("corrected", "plug-in")


def entropy(votes: ArrayLike, estimator: str = "corrected") -> Float64[np.ndarray, " N"]:
    """Entropy of the class distribution behind each row of votes, divided by log K: W of each image. Low W = smooth.

    Parameters
    ----------
    votes
        int[N, K], how often each class was predicted.
    estimator
        ``"plug-in"``: the entropy of the observed shares, biased low by about (m - 1) / 2n nats for m classes with
        mass. ``"corrected"``: Chao, Wang and Jost's estimator, clipped to [0, log K].

    Returns
    -------
    float64[N], in [0, 1]

    References
    ----------
    A. Chao, Y. T. Wang, L. Jost, "Entropy and the species accumulation curve: a novel entropy estimator via discovery
    rates of new species", Methods in Ecology and Evolution 4 (2013).
    """
    votes = check_votes(votes)
    if estimator not in ESTIMATORS:
        raise InputError(f"{estimator!r} is not an entropy estimator; use one of {', '.join(ESTIMATORS)}.")
    classes = votes.shape[1]
    nats = plug_in(votes) if estimator == "plug-in" else np.clip(chao_wang_jost(votes), 0, np.log(classes))
    return nats / float(np.log(classes))


def check_votes(votes: ArrayLike) -> Int64[np.ndarray, "N K"]:
    """Votes as int64[N, K]; raises InputError where they cannot be votes."""
    counts = np.asarray(votes)
    if counts.ndim != 2 or counts.shape[1] < 2:
        raise InputError(f"Votes have the shape [images, classes] with two classes or more, not {counts.shape}.")
    if not np.issubdtype(counts.dtype, np.integer):
        raise InputError(f"Votes are whole numbers, not {counts.dtype}; pass counts of predictions, not shares.")
    if counts.size and (counts.min() < 0 or counts.sum(axis=1).min() < 1):
        raise InputError("Each image needs one vote or more and no count below 0; measure it with draws of 1 or more.")
    return counts.astype(np.int64)


def entropy_nats(shares: np.ndarray) -> np.ndarray:
    """Return the entropy of each row of shares in nats, float64[...]."""
    return np.abs((shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=-1))


def plug_in(votes: Int64[np.ndarray, "N K"]) -> Float64[np.ndarray, " N"]:
    """Return the entropy of the observed shares of each row in nats, float64[N]."""
    return entropy_nats(votes / votes.sum(axis=1, keepdims=True))


def chao_wang_jost(votes: Int64[np.ndarray, "N K"]) -> Float64[np.ndarray, " N"]:
    """Chao, Wang and Jost's estimate in nats, not clipped."""
    n = votes.sum(axis=1)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n.max(initial=1) + 1))])
    reach = harmonic[n - 1][:, None] - harmonic[np.maximum(votes, 1) - 1]
    seen = (votes / n[:, None] * reach).sum(axis=1)
    once, twice = (votes == 1).sum(axis=1), (votes == 2).sum(axis=1)
    return seen + np.array([_unseen(*row) for row in zip(n.tolist(), once.tolist(), twice.tolist(), strict=True)])


@lru_cache(maxsize=65536)
def _unseen(n: int, once: int, twice: int) -> float:
    """What classes without a vote add, from how many classes have one vote and two (Good and Turing's argument)."""
    if once == 0 or n < 2:
        return 0.0
    a = 2 * twice / ((n - 1) * once + 2 * twice) if twice else 2 / ((n - 1) * (once - 1) + 2)
    if a >= 1:
        return 0.0
    # -log(a) less the first n - 1 terms of its series; where nearly all would cancel, the terms that remain.
    if a * n < 4:
        r = np.arange(1, n)
        return float(once / n * (1 - a) ** (1.0 - n) * (-np.log(a) - ((1 - a) ** r / r).sum()))
    r = np.arange(n, n + int(40 / a) + 1)
    return float(once / n * ((1 - a) ** (r - n + 1.0) / r).sum())
