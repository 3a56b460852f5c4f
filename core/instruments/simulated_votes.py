"""Votes that chance would draw, simulated: what an observed entropy is held against.

The simulations are seeded by the number of draws alone, so that equal votes have equal intervals everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Simulated rows of votes behind each tested distribution: a tail of 2.5 % is known to +-0.35 %.
REPLICATES = 2000
# Where cumulative probability can be cut: at (j / _CUTS)^2, fine where classes are rare.
_CUTS = 2048


@lru_cache(maxsize=8)
def _vote_table(n: int) -> np.ndarray:
    """uint16[_CUTS + 1, REPLICATES]: of n uniform draws, how many fall below (j / _CUTS)^2. Seeded by n alone.

    Votes for classes that lie side by side on [0, 1] are differences of two rows, so one table serves every
    distribution, and neighbouring distributions see the same draws.
    """
    random = np.random.default_rng([2006, 6721, n])
    counts = np.zeros((REPLICATES, _CUTS + 1), dtype=np.uint16)
    for row in np.array_split(np.arange(REPLICATES), max(1, n * REPLICATES // 2**21)):
        cut = np.ceil(np.sqrt(random.random((len(row), n))) * _CUTS).astype(np.int64)
        cut += np.arange(len(row))[:, None] * (_CUTS + 1)
        flat = np.bincount(cut.ravel(), minlength=len(row) * (_CUTS + 1))
        counts[row] = flat.reshape(len(row), _CUTS + 1)
    return np.ascontiguousarray(np.cumsum(counts, axis=1, dtype=np.uint16).T)


@dataclass(frozen=True)
class Family:
    """p ~ q^beta: flat at beta = 0, the observed shares at 1, one-hot towards infinity. q is sorted down, q[0] = 1."""

    log_q: np.ndarray
    n: int

    @classmethod
    def through(cls, counts: tuple[int, ...]) -> Family:
        """Return the family through the observed shares of counts that are sorted down."""
        q = np.array(counts, dtype=np.float64)
        # Shares of rare classes are mostly chance. They keep their votes, or one vote where there is none.
        rare = q <= 1
        if rare.any():
            q[rare] = max(q[rare].sum(), 1) / rare.sum()
        # Ties are broken by next to nothing: else the family through equal counts would never leave them.
        q += 0.05 * np.linspace(1, -1, len(q)) * np.minimum(q, 1)
        return cls(np.log(q / q[0]), sum(counts))

    def shares(self, beta: float) -> np.ndarray:
        """float64[classes], the distribution at beta."""
        p = np.exp(beta * self.log_q)
        return p / p.sum()

    def votes(self, beta: float) -> tuple[np.ndarray, np.ndarray]:
        """uint16[classes, REPLICATES], n votes drawn at beta; and the shares they were drawn from."""
        beyond = np.cumsum(self.shares(beta)[::-1])[::-1].clip(max=1)
        cuts = np.append(np.rint(np.sqrt(beyond) * _CUTS).astype(np.int64), 0)
        # Classes too rare to have a cut of their own are drawn as one.
        cuts = cuts[np.append(True, cuts[1:] < cuts[:-1])]
        below, edges = _vote_table(self.n)[cuts], (cuts / _CUTS) ** 2
        return below[:-1] - below[1:], edges[:-1] - edges[1:]

    def plug_in_entropies(self, beta: float) -> np.ndarray:
        """float64[REPLICATES], plug-in entropies in nats of n votes drawn at beta."""
        return np.take(_terms(self.n), self.votes(beta)[0]).sum(axis=0)

    def plug_in_bias(self) -> float:
        """How far plug-in entropies fall short at beta = 1 on average, in nats.

        The mean of their relative entropies to the truth, which says the same with far less scatter than the mean of
        the entropies themselves.
        """
        votes, shares = self.votes(1.0)
        return float(-np.log(shares) @ votes.mean(axis=1)) / self.n - float(
            np.take(_terms(self.n), votes).sum(axis=0).mean()
        )

    def information(self, beta: float) -> float:
        """Fisher's information on beta in n votes."""
        p = self.shares(beta)
        return max(self.n * float(p @ (self.log_q - p @ self.log_q) ** 2), 1e-9)


@lru_cache(maxsize=64)
def flat_entropies(n: int, classes: int) -> np.ndarray:
    """float64[REPLICATES], plug-in entropies in nats of n votes for classes that are equally likely."""
    return Family(np.zeros(classes), n).plug_in_entropies(0.0)


@lru_cache(maxsize=64)
def _terms(n: int) -> np.ndarray:
    shares = np.arange(n + 1) / n
    return -shares * np.log(np.where(shares > 0, shares, 1))
