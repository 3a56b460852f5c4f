"""W with the trigger against W clean: one point for each image, and the line of no difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from core.figures.layout import new_figure, show_legend
from core.figures.palette import OTHER, TRIGGERED, faded
from core.runs.measured.w import Measurement

_SYMBOLS = ("circle", "diamond-open")


def paired_scatter(
    runs: Mapping[str, Measurement], selected: Sequence[int] = (), classes: Sequence[str] = (), height: int = 400
) -> go.Figure:
    """Return the scatter of one run, and of another behind it.

    Parameters
    ----------
    runs
        Name of a run -> its measurement; the first in front in colour, the second hollow and grey.
    selected
        Places in the test split of the images to ring, at most two: the selected one and a pinned one.
    classes
        Names of the classes, shown on hover; a point carries its image's place in the test split.
    height
        In pixels.
    """
    figure = new_figure("W clean", "W with trigger", height)
    figure.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line={"color": OTHER, "width": 1, "dash": "dot"})
    figure.add_annotation(x=1.0, y=-0.09, text="smoother with the trigger", xanchor="right", showarrow=False)
    figure.add_annotation(x=0.0, y=1.09, text="rougher with the trigger", xanchor="left", showarrow=False)
    for number, (name, measured) in reversed(list(enumerate(runs.items()))):
        _points(figure, name, measured, number, classes)
    for place, symbol in zip(selected, ("circle-open", "circle-open-dot"), strict=False):
        _ring(figure, next(iter(runs.values())), place, symbol)
    figure.update_xaxes(range=[-0.03, 1.03])
    figure.update_yaxes(range=[-0.14, 1.14], tickvals=[0, 0.2, 0.4, 0.6, 0.8, 1])
    show_legend(figure)
    figure.update_layout(showlegend=len(runs) > 1, margin={"t": 34}, clickmode="event+select", dragmode=False)
    return figure


def _points(figure: go.Figure, name: str, measured: Measurement, number: int, classes: Sequence[str]) -> None:
    named = [classes[label] if len(classes) else f"class {label}" for label in measured.true]
    opacity = 0.8 if number == 0 else 1.0
    figure.add_scatter(
        x=measured.clean.w,
        y=measured.triggered.w,
        mode="markers",
        name=name,
        legendrank=number,
        marker={
            "symbol": _SYMBOLS[min(number, 1)],
            "size": 9 if number == 0 else 7,
            "color": faded(TRIGGERED, 0.75) if number == 0 else OTHER,
            "line": {"width": 1, "color": "white"} if number == 0 else {"width": 1.5, "color": OTHER},
        },
        # A selection is marked by a ring; the others stay as they are.
        selected={"marker": {"opacity": opacity}},
        unselected={"marker": {"opacity": opacity}},
        opacity=opacity,
        customdata=measured.chosen,
        meta={"customdata": ["test image"], "text": "true class"},
        text=named,
        hovertemplate="%{text}, no. %{customdata}: W = %{x:.2f} clean, %{y:.2f} with trigger"
        f"<extra>{name}</extra>",
    )


def _ring(figure: go.Figure, measured: Measurement, place: int, symbol: str) -> None:
    at = measured.chosen == place
    figure.add_scatter(
        x=measured.clean.w[at],
        y=measured.triggered.w[at],
        mode="markers",
        marker={"symbol": symbol, "size": 17, "color": OTHER, "line": {"width": 2.5}},
        hoverinfo="skip",
        showlegend=False,
    )
