"""W of many images, clean against triggered, as two histograms on one axis."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from core.figures.layout import new_figure
from core.figures.palette import CLEAN, TRIGGERED, faded
from core.instruments.smoothness import Pair, Smoothness

BINS = 25
# Between the ticks of the axis of images.
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def smoothness_histogram(pair: Pair, most: int | None = None, height: int = 260) -> go.Figure:
    """Return histograms of W clean (upwards) and W triggered (downwards) on one axis, their means marked.

    Parameters
    ----------
    pair
        What was measured.
    most
        Images at the ends of the axis, to put several figures on one scale; by default this figure's tallest bar.
    height
        In pixels.
    """
    figure = new_figure("W  (0 smooth, 1 rough)", "with trigger ← images → clean", height)
    most = most or tallest_bar(pair)
    _half(figure, pair.clean, "clean", CLEAN, most)
    _half(figure, pair.triggered, "with trigger", TRIGGERED, -most)
    step = next(number for number in _STEPS if 2 * number >= most or number == _STEPS[-1])
    values = [number * step for number in range(-(most // step), most // step + 1)]
    figure.update_layout(bargap=0, barmode="overlay")
    figure.update_xaxes(range=[0, 1])
    figure.update_yaxes(
        tickvals=values, ticktext=[f"{abs(value)}" for value in values], range=[-1.4 * most, 1.4 * most]
    )
    return figure


def tallest_bar(pair: Pair) -> int:
    """Return the number of images in the tallest bar of this pair's histogram."""
    return int(max(_counts(side).max() for side in (pair.clean, pair.triggered)))


def _counts(side: Smoothness) -> np.ndarray:
    return np.histogram(side.w.clip(0, 1), BINS, range=(0, 1))[0]


def _half(figure: go.Figure, side: Smoothness, name: str, colour: str, end: int) -> None:
    """Draw one histogram towards `end`, which is negative for downwards, and its mean."""
    counts, sign, mean = _counts(side), int(np.sign(end)), side.mean.value
    figure.add_bar(
        x=(np.arange(BINS) + 0.5) / BINS,
        y=sign * counts,
        width=1 / BINS,
        name=name,
        marker={"color": faded(colour, 0.85), "line": {"width": 0}, "pattern": {"shape": "" if sign > 0 else "/"}},
        customdata=counts,
        meta={"x": "W (middle of the bin)", "y": "", "customdata": ["images"]},
        hovertemplate=f"{name}: %{{customdata}} images with W near %{{x:.2f}}<extra></extra>",
    )
    figure.add_shape(
        type="line", x0=mean, x1=mean, y0=0, y1=1.1 * end, line={"color": colour, "width": 2, "dash": "dot"}
    )
    figure.add_annotation(
        x=mean,
        y=1.1 * end,
        yshift=9 * sign,
        text=f"{name} {mean:.2f}",
        showarrow=False,
        xanchor="left" if mean < 0.5 else "right",
    )
