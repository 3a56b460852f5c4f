"""What a slice can show instead of its labels: probability, margin, W. Needs neither torch nor Plotly's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from core.instruments.slices.refine import PlaneConfidence, PlaneSmoothness


@dataclass(frozen=True, eq=False)
class SliceLayer:
    """Numbers over a slice, ready to be drawn.

    Attributes
    ----------
    name
        One word, for the number at one point.
    title
        What the colours mean.
    values
        float64 [r, r] on an even grid over the same square as the labels; row 0 is the lowest y.
    low, high
        Ends of the colour scale.
    note
        How the numbers were made.
    """

    name: str
    title: str
    values: np.ndarray
    low: float
    high: float
    note: str


def probability_layer(confidence: PlaneConfidence) -> SliceLayer:
    """Return the probability that the model gives to the class it predicts."""
    values = confidence.probability
    title = "probability of the predicted class (softmax)"
    return SliceLayer("probability", title, values, 0.0, 1.0, f"Without noise, at {_grid(values)} points.")


def margin_layer(confidence: PlaneConfidence, others: Sequence[PlaneConfidence] = ()) -> SliceLayer:
    """Return the largest logit minus the second; the others are slices that share its colour scale."""
    values = confidence.margin
    high = max(float(shown.margin.max()) for shown in (confidence, *others))
    title = "margin: largest logit minus the second"
    return SliceLayer("margin", title, values, 0.0, high or 1.0, f"Without noise, at {_grid(values)} points.")


def smoothness_layer(smoothness: PlaneSmoothness) -> SliceLayer:
    """Return W; while it is being measured, the note says at how many points it has been."""
    measured, total = int(smoothness.evaluated.sum()), smoothness.evaluated.size
    points = f"{_grid(smoothness.w)} points" if measured == total else f"{measured:,} of {total:,} points so far"
    made = smoothness.measured.noise
    note = f"Measured at {points}, {made.draws} draws each, seed {made.seed}."
    return SliceLayer("W", f"W at σ = {made.sigma:g}", smoothness.w, 0.0, 1.0, note)


@cache
def cividis() -> np.ndarray:
    """Return the colour map cividis as uint8 [256, 3]: it reads the same with and without colour blindness.

    Nuñez, Anderton and Renslow, PLOS ONE 2018.
    """
    from plotly.colors import sample_colorscale, sequential

    colours = sample_colorscale(sequential.Cividis, np.linspace(0, 1, 256).tolist(), colortype="tuple")
    return np.rint(255 * np.array(colours)).astype(np.uint8)


def _grid(values: np.ndarray) -> str:
    return f"{values.shape[1]} × {values.shape[0]}"
