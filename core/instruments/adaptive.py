"""W to an asked width: a pilot chooses how many draws each image gets, and fresh draws alone are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import InputError
from core.instruments.estimators import draws_for_width
from core.instruments.noise import Noise
from core.instruments.smoothness import Smoothness, measure

if TYPE_CHECKING:
    from torch import Tensor

    from core.instruments.smoothness import Model

MOST_DRAWS = 4096


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
        `core.instruments.estimators.draws_for_width`.

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
    draws = draws_for_width(measure(predictor, images, noise).votes, width, maximum=MOST_DRAWS)
    return measure(predictor, images, replace(noise, draws=tuple(draws.tolist()), first=pilot))
