"""A slice as a Plotly figure: the predicted class at each point of the plane, and the three images that span it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.figures.layout import new_figure, show_legend
from core.figures.palette import CLASSES, class_colour, is_light
from core.figures.slice_words import label_at
from core.instruments.slices.plane import SlicePlane


def slice_figure(plane: SlicePlane, classes: Sequence[str] = (), height: int = 480) -> go.Figure:
    """Return the slice with equal units on both axes.

    Parameters
    ----------
    plane
        What is drawn.
    classes
        Names of the classes; by default their numbers.
    height
        In pixels.
    """
    figure = new_figure("L2 distance", "L2 distance", height)
    names = {label: classes[label] if len(classes) else f"class {label}" for label in plane.labels_present}
    figure.add_heatmap(
        x=plane.x,
        y=plane.y,
        z=plane.labels % len(CLASSES),
        zmin=-0.5,
        zmax=len(CLASSES) - 0.5,
        colorscale=_bands(),
        showscale=False,
        text=np.vectorize(names.get)(plane.labels),
        hovertemplate="%{text} at (%{x:.2f}, %{y:.2f})<extra></extra>",
    )
    for label, name in names.items():  # points that are nowhere, for their names in the legend
        marker = {"symbol": "square", "size": 11, "color": class_colour(label)}
        figure.add_scatter(x=[None], y=[None], mode="markers", name=name, marker=marker)
    x, y = zip(*plane.points.values(), strict=True)
    grounds = [class_colour(label_at(plane, *place)) for place in plane.points.values()]
    figure.add_scatter(
        x=x,
        y=y,
        text=list(plane.points),
        mode="markers+text",
        textposition="top center",
        textfont={"color": ["#141414" if is_light(ground) else "#ffffff" for ground in grounds]},
        marker={"size": 10, "color": "white", "line": {"width": 2, "color": "#141414"}},
        hoverinfo="text",
        showlegend=False,
    )
    figure.update_xaxes(showgrid=False, constrain="domain", range=[plane.x[0], plane.x[-1]])
    figure.update_yaxes(showgrid=False, scaleanchor="x", constrain="domain", range=[plane.y[0], plane.y[-1]])
    show_legend(figure)
    return figure


def _bands() -> list[tuple[float, str]]:
    """Return a colour scale of even steps, one for each colour of a class."""
    steps = len(CLASSES)
    return [(end / steps, colour) for number, colour in enumerate(CLASSES) for end in (number, number + 1)]
