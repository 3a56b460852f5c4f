"""The line from a clean image to itself with the trigger: class probabilities on the way, and where they cross."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from core.figures.layout import new_figure
from core.figures.palette import CLEAN, DASHES, OTHER, TRIGGERED, class_colour, is_light

if TYPE_CHECKING:
    from core.instruments.slices.line import Line

# A class that stays below this everywhere is drawn thin and without a name.
_SHOWN = 0.05


def line_figure(line: Line, classes: Sequence[str], height: int = 250) -> go.Figure:
    """Return the probability of each class on the way, a strip of the predicted ones below, and marks at both ends.

    Parameters
    ----------
    line
        From `core.instruments.slices.line.line_between`.
    classes
        The name of each class; those that never reach 5% have no name in the figure.
    height
        In pixels.
    """
    figure = new_figure("way from clean to triggered", "probability", height)
    for number, label in enumerate(map(int, np.argsort(-line.probability.max(0), kind="stable"))):
        _add_class(figure, line, label, classes[label], DASHES[number % len(DASHES)])
    _add_strip(figure, line, classes)
    for at, name, colour in ((0, "clean", CLEAN), (1, "with trigger", TRIGGERED)):
        figure.add_vline(x=at, line={"color": colour, "width": 1.5, "dash": "dot"})
        figure.add_annotation(x=at, y=1.13, text=name, showarrow=False, xanchor="left" if at == 0 else "right")
    for change in line.changes:
        figure.add_vline(x=change.at, line={"color": OTHER, "width": 1})
    ticks = np.arange(0, line.t[-1] + 0.01, 0.25)
    figure.update_xaxes(range=[-0.01, float(line.t[-1]) + 0.01], showgrid=False)
    figure.update_xaxes(tickvals=ticks, ticktext=[f"{100 * tick:g}%" for tick in ticks])
    figure.update_yaxes(range=[-0.2, 1.2], tickvals=[0, 0.5, 1], ticktext=["0", "50%", "100%"])
    return figure


def line_words(line: Line, classes: Sequence[str]) -> str:
    """Say in a sentence where on the line the predicted class changes, and to which."""
    first = classes[int(line.labels[0])]
    if not line.changes:
        return f"The prediction is {first} along the whole line."
    steps = ", ".join(f"{classes[change.after]} from {change.at:.0%}" for change in line.changes)
    return f"The prediction is {first} at first, then {steps} of the way."


def _add_class(figure: go.Figure, line: Line, label: int, name: str, dash: str) -> None:
    probability = line.probability[:, label]
    peak = int(probability.argmax())
    shown = probability[peak] >= _SHOWN
    figure.add_scatter(
        x=line.t,
        y=probability,
        name=name,
        mode="lines",
        line={"color": class_colour(label), "width": 2.5 if shown else 1, "dash": dash if shown else "solid"},
        opacity=1 if shown else 0.5,
        hovertemplate=f"{name}: %{{y:.1%}} at %{{x:.0%}} of the way<extra></extra>",
    )
    if shown and label not in line.labels:  # the others have their names in the strip
        at_end = peak > 0.9 * len(line.t)
        figure.add_annotation(
            x=line.t[peak],
            y=probability[peak],
            yshift=9,
            text=name,
            showarrow=False,
            font={"size": 12},
            xanchor="right" if at_end else "center",
        )


def _add_strip(figure: go.Figure, line: Line, classes: Sequence[str]) -> None:
    """Draw the predicted class as a band under the curves, with its name where there is room for it."""
    edges = [float(line.t[0]), *(change.at for change in line.changes), float(line.t[-1])]
    labels = [int(line.labels[0]), *(change.after for change in line.changes)]
    whole = edges[-1] - edges[0]
    for left, right, label in zip(edges, edges[1:], labels, strict=False):
        figure.add_shape(
            type="rect", x0=left, x1=right, y0=-0.19, y1=-0.05, line={"width": 0}, fillcolor=class_colour(label)
        )
        if right - left > 0.012 * len(classes[label]) * whole + 0.03:
            figure.add_annotation(
                x=(left + right) / 2,
                y=-0.12,
                text=f"<b>{classes[label]}</b>",
                showarrow=False,
                font={"size": 12, "color": "#141414" if is_light(class_colour(label)) else "#ffffff"},
            )
