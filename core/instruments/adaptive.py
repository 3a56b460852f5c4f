"""W to an asked width: a pilot chooses how many draws each image gets, and fresh draws alone are counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from core.errors import InputError
from core.instruments.estimators import draws_for_width, entropy, entropy_interval
from core.instruments.predictor import Predictor, as_predictor

MOST_DRAWS = 4096


@dataclass(frozen=True, eq=False)
class AdaptiveSmoothness:
    """W of N images, each from as many draws as its interval needs. No certificate may be made of these votes.

    Attributes
    ----------
    votes
        int64 [N, K], fresh draws only; the pilot's are not among them.
    pilot
        Draws that were spent on each image to choose their number.
    sigma, seed, confidence
        As in `core.instruments.smoothness.Smoothness`.
    """

    votes: np.ndarray
    pilot: int
    sigma: float
    seed: int
    confidence: float

    @property
    def draws(self) -> np.ndarray:
        """Counted draws of each image, int64 [N]."""
        return self.votes.sum(1)

    @cached_property
    def w(self) -> np.ndarray:
        """W of each image, corrected for bias and divided by log K, float64 [N]."""
        return entropy(self.votes)

    @property
    def low(self) -> np.ndarray:
        """Lower end of each image's interval, float64 [N]."""
        return self._interval[0]

    @property
    def high(self) -> np.ndarray:
        """Upper end of each image's interval, float64 [N]."""
        return self._interval[1]

    @cached_property
    def _interval(self) -> tuple[np.ndarray, np.ndarray]:
        return entropy_interval(self.votes, confidence=self.confidence)


def measure_adaptive(
    model: Callable[[Tensor], Tensor] | Predictor,
    images: Tensor,
    sigma: float,
    width: float,
    seed: int = 0,
    *,
    keys: Sequence[int] | None = None,
    confidence: float = 0.95,
) -> AdaptiveSmoothness:
    """Measure W of each image with about as many draws as an interval of this width needs.

    Votes of an image depend on (model, image, key, sigma, draws, seed) only: draw j is the same noise here as in
    `core.instruments.smoothness.measure_smoothness`. The pilot takes the first draws, the count the ones after them.

    Parameters
    ----------
    model, images, sigma, seed, keys, confidence
        As in `core.instruments.smoothness.measure_smoothness`.
    width
        Asked width of each image's interval (high minus low) in units of log K, in (0, 1). An aim: see
        `core.instruments.estimators.draws_for_width`.

    Raises
    ------
    InputError
        The width is not in (0, 1), or the images, keys or sigma cannot be used.
    """
    if not 0 < width < 1:
        raise InputError(f"The width of an interval of W lies between 0 and 1; got {width:g}. Ask for 0.1, say.")
    if not 0 < sigma < float("inf"):
        raise InputError(f"Sigma is the noise's standard deviation and has to be above 0; got {sigma:g}.")
    predictor = as_predictor(model)
    keys = list(range(len(images))) if keys is None else list(keys)
    pilot = max(16, round(4 / width))
    wanted = draws_for_width(
        predictor.votes(images, keys, sigma, pilot, seed).numpy(), width, confidence, maximum=MOST_DRAWS
    )
    votes: np.ndarray | None = None
    for draws in np.unique(wanted):
        chosen = np.nonzero(wanted == draws)[0]
        counted = predictor.votes(
            images[chosen.tolist()], [keys[number] for number in chosen], sigma, int(draws), seed, first=pilot
        ).numpy()
        votes = np.zeros((len(images), counted.shape[1]), np.int64) if votes is None else votes
        votes[chosen] = counted
    assert votes is not None  # there is at least one image, or the predictor has complained
    return AdaptiveSmoothness(votes, pilot, float(sigma), seed, confidence)
