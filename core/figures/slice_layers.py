"""What a slice can show instead of its labels: probability, margin, W. Needs neither torch nor Plotly's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from core.figures.w_colours import top_of_scale, w_colours

if TYPE_CHECKING:
    from core.instruments.slices.plane_smoothness import PlaneSmoothness
    from core.instruments.slices.refine import PlaneConfidence


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
    colours
        The scale, uint8 [256, 3].
    ends
        What the lowest and the highest colour mean, in a word each; "" where the numbers say enough.
    """

    name: str
    title: str
    values: np.ndarray
    low: float
    high: float
    note: str
    colours: np.ndarray
    ends: tuple[str, str] = ("", "")


def probability_layer(confidence: PlaneConfidence) -> SliceLayer:
    """Return the probability that the model gives to the class it predicts."""
    values = confidence.probability
    title = "probability of the predicted class (softmax)"
    note = f"Without noise, at {_grid(values)} points."
    return SliceLayer("probability", title, values, 0.0, 1.0, note, cividis())


def margin_layer(confidence: PlaneConfidence, others: Sequence[PlaneConfidence] = ()) -> SliceLayer:
    """Return the largest logit minus the second; the others are slices that share its colour scale."""
    values = confidence.margin
    high = max(float(shown.margin.max()) for shown in (confidence, *others))
    title = "margin: largest logit minus the second"
    note = f"Without noise, at {_grid(values)} points."
    return SliceLayer("margin", title, values, 0.0, high or 1.0, note, cividis())


def fitted_top(maps: Sequence[PlaneSmoothness]) -> float:
    """Return where the colours of W end on all of these maps."""
    return top_of_scale(max(float(shown.w.max()) for shown in maps))


def scale_words(top: float) -> str:
    """Say where a scale of W ends, and that W itself goes further."""
    return "scale 0–1" if top == 1 else f"scale 0–{top:g}, fitted: W can reach 1"


def smoothness_layer(smoothness: PlaneSmoothness, others: Sequence[PlaneSmoothness] = ()) -> SliceLayer:
    """Return W; the others are maps that share its colour scale.

    While it is being measured, the note says at how many points it has been.
    """
    measured, total = int(smoothness.evaluated.sum()), smoothness.evaluated.size
    points = f"{_grid(smoothness.w)} points" if measured == total else f"{measured:,} of {total:,} points so far"
    made = smoothness.measured.noise
    note = f"Measured at {points}, {made.draws} draws each, seed {made.seed}."
    top = fitted_top((smoothness, *others))
    title = f"W at σ = {made.sigma:g}, {scale_words(top)}"
    return SliceLayer("W", title, smoothness.w, 0.0, top, note, w_colours(), ("calm", "rough"))


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
