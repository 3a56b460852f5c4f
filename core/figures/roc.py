"""ROC curves of several detectors on the same images."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from core.figures.layout import new_figure
from core.figures.palette import CLASSES, DASHES, OTHER
from core.instruments.detectors.roc import Roc


def roc_curves(curves: Mapping[str, Roc], asked: float | None = None, height: int = 460) -> go.Figure:
    """Return ROC curves on one square, chance as a dotted diagonal.

    Parameters
    ----------
    curves
        Name of a detector -> its ROC; the first is drawn thicker. Each has its own dash as well as its own colour.
    asked
        The allowed false-positive rate, marked by a line.
    height
        In pixels.
    """
    figure = new_figure("clean images flagged", "triggered images flagged", height)
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": OTHER, "width": 1, "dash": "dot"}, hoverinfo="skip",
        showlegend=False,
    )  # fmt: skip
    for number, (name, roc) in enumerate(curves.items()):
        figure.add_scatter(
            x=roc.false_positive,
            y=roc.true_positive,
            name=f"{name}, AUC {roc.auc.value:.2f}",
            mode="lines",
            line={
                "color": CLASSES[number % len(CLASSES)],
                "width": 3 if number == 0 else 1.75,
                "dash": DASHES[number % len(DASHES)],
            },
            hovertemplate=f"{name}: %{{y:.0%}} of the triggered, %{{x:.0%}} of the clean images<extra></extra>",
        )
    if asked is not None:
        figure.add_vline(x=asked, line={"color": OTHER, "width": 1, "dash": "dot"})
    figure.update_xaxes(range=[-0.01, 1.01], tickformat=".0%", dtick=0.25)
    figure.update_yaxes(range=[-0.01, 1.02], tickformat=".0%", dtick=0.25)
    # Below the square, since a curve may run through any corner of it.
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": -0.27, "yanchor": "top", "title": {"text": ""}},
        margin={"b": 120},
    )
    return figure
