"""W to an asked width: a pilot chooses how many draws each image gets, and fresh draws alone are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from core.errors import InputError
from core.instruments.estimators import check_votes
from core.instruments.intervals import MOST_DRAWS, check_simulated
from core.instruments.noise import Noise
from core.instruments.smoothness import Smoothness, measure

if TYPE_CHECKING:
    from torch import Tensor

    from core.instruments.smoothness import Model

# Of one image: an interval of +-0.01 or so on ten classes.
_MOST = 4096


def measure_to_width(
    model: Model, images: Tensor, sigma: float, width: float, seed: int = 0, keys: Sequence[int] | None = None
) -> Smoothness:
    """Measure W of each image with about as many draws as an interval of this width needs.

    The pilot takes the first draws (`noise.first` of the result), the count the ones after them. No certificate may be
    made of these votes.

    Parameters
    ----------
    model, images, sigma, seed, keys
        As in `core.instruments.smoothness.measure_smoothness`.
    width
        Asked width of each image's 95% interval (high minus low) in units of log K, in (0, 1). An aim: see
        `draws_for_width`.

    Raises
    ------
    InputError
        The width is not in (0, 1), or the images, keys or sigma cannot be used.
    """
    from core.instruments.predictor import as_predictor

    if not 0 < width < 1:
        raise InputError(f"The width of an interval of W lies between 0 and 1; got {width:g}. Ask for 0.1, say.")
    pilot = max(16, round(4 / width))
    noise = Noise(sigma, pilot, seed, keys)
    predictor = as_predictor(model)
    draws = draws_for_width(measure(predictor, images, noise).votes, width)
    return measure(predictor, images, replace(noise, draws=tuple(draws.tolist()), first=pilot))


def draws_for_width(
    pilot_votes: ArrayLike, width: float, confidence: float = 0.95, minimum: int = 32, maximum: int = _MOST
) -> np.ndarray:
    """How many fresh draws each image needs for an interval of `width`, judged from a pilot of about 4 / width draws.

    The pilot's votes choose the number and must not be counted again: an interval from fresh draws alone covers what
    it says, whatever the pilot was. The width is an aim, not a promise: a pilot can mislead.

    Parameters
    ----------
    pilot_votes
        int[N, K].
    width
        Of the interval, high minus low, normalised by log K; in (0, 1).
    confidence
        Of the interval, from 0.5 to 0.99.
    minimum, maximum
        The fewest and the most draws an image gets.

    Returns
    -------
    int64[N], steps of a ladder from `minimum` to `maximum` on which each number is sqrt 2 times the one before.
    """
    votes = check_votes(pilot_votes)
    check_simulated(confidence)
    if not 0 < width < 1:
        raise InputError(f"A width of {width:g} is not in (0, 1); ask for 0.05, say.")
    if not 1 <= minimum <= maximum <= MOST_DRAWS:
        raise InputError(f"{minimum} to {maximum} draws is no range within 1 to {MOST_DRAWS}; change one of them.")
    # The pilot's shares, with a fifth of a vote for what it has missed; and 5 % to spare.
    shares = (votes + 0.2 / votes.shape[1]) / (votes.sum(axis=1, keepdims=True) + 0.2)
    seen = (votes > 0).sum(axis=1)
    draws = np.full(len(votes), maximum, dtype=np.int64)
    for step in _ladder(minimum, maximum)[::-1]:
        draws[_expected_width(shares, seen, step, confidence) <= 0.95 * width] = step
    return draws


def _ladder(minimum: int, maximum: int) -> list[int]:
    steps = int(np.ceil(2 * np.log2(maximum / minimum)))
    return [round(minimum * 2 ** (step / 2)) for step in range(steps)] + [maximum]


def _expected_width(shares: np.ndarray, seen: np.ndarray, draws: int, confidence: float) -> np.ndarray:
    """About how wide an interval will be, normalised: the delta method to second order.

    Within 10 % of the simulated intervals' mean width where 7/10 of a vote are spread over all classes first.
    """
    classes = shares.shape[1]
    p = (draws * shares + 0.7 / classes) / (draws + 0.7)
    surprise = -np.log(p)
    spread = (p * (surprise - (p * surprise).sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
    variance = spread / draws + (seen - 1) / (2 * draws**2)
    return 2 * NormalDist().inv_cdf((1 + confidence) / 2) * np.sqrt(variance) / np.log(classes)
