"""The straight line from one image to another, and a bit beyond: what the model predicts along it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core.drawing import Drawn
from core.errors import InputError
from core.instruments.predictor import Predictor, as_predictor, check_images

if TYPE_CHECKING:
    from jaxtyping import Float64, Int64


@dataclass(frozen=True)
class LabelChange:
    """The predicted class changes at `at`, halfway between two points of the line, from one class to another."""

    at: float
    before: int
    after: int


@dataclass(frozen=True, eq=False)
class Line(Drawn):
    """A model's predictions at start + t (end - start).

    Attributes
    ----------
    t
        float64 [S], ascending: 0 is the start, 1 the end.
    probability
        float64 [S, K]: the softmax of the logits.
    labels
        int64 [S]: the predicted classes.
    length
        L2 distance from the start to the end, over pixels of [0, 1].
    """

    t: Float64[np.ndarray, " S"]
    probability: Float64[np.ndarray, "S K"]
    labels: Int64[np.ndarray, " S"]
    length: float

    @property
    def changes(self) -> list[LabelChange]:
        """Where the predicted class changes, in the order of the line."""
        pairs = pairwise(zip(self.t.tolist(), self.labels.tolist(), strict=True))
        return [LabelChange((s + t) / 2, before, after) for (s, before), (t, after) in pairs if before != after]


def line_between(
    model: Callable[[Tensor], Tensor] | Predictor, start: Tensor, end: Tensor, points: int = 101, beyond: float = 0.25
) -> Line:
    """Predict along the straight line from one image to another, and on in the same direction.

    Parameters
    ----------
    model
        From images [N, C, H, W] to logits [N, K], or a `Predictor`, which is used as it is.
    start, end
        Float [C, H, W]: for a trigger's line, the clean image and the same with the trigger.
    points
        Evenly spaced points from start to end, both included; at least 2.
    beyond
        How far the line continues after the end, as a share of the way; the points keep their spacing.

    Raises
    ------
    InputError
        The images are equal, of different shapes or not finite, or a number is out of range.
    """
    if points < 2 or not 0 <= beyond <= 10:
        raise InputError(
            f"{points} points and {beyond:g} beyond make no line; give at least 2 points and 0 to 10 beyond."
        )
    if not (isinstance(start, Tensor) and isinstance(end, Tensor) and start.ndim == 3 and start.shape == end.shape):
        raise InputError("A line needs two images [C, H, W] of one shape; give two images of the same data set.")
    check_images(torch.stack([start, end]))
    length = float((end - start).double().norm())
    if length == 0:
        raise InputError("Start and end are the same image; choose an image that the trigger changes.")
    steps = points - 1
    t = torch.arange(points + round(beyond * steps), dtype=torch.float64) / steps
    images = start.double() + t[:, None, None, None] * (end - start).double()
    logits = as_predictor(model).logits(images.float()).double()
    return Line(t.numpy(), logits.softmax(1).numpy(), logits.argmax(1).numpy(), length)
