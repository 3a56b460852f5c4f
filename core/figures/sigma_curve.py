"""Curves of mean W over sigma with their bands: what the figures of one run and of several triggers share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from core.figures.layout import INTERVAL_NAMES, new_figure, show_legend
from core.figures.palette import OTHER, faded
from core.instruments.statistics import Estimate


@dataclass(frozen=True)
class Look:
    """How one curve is drawn: "#rrggbb", Plotly's names of dash and marker, widths in pixels, the band's opacity."""

    colour: str
    dash: str
    symbol: str
    width: float = 2.2
    marker: int = 8
    band: float = 0.1


def new_sigma_figure(sigmas: Sequence[float], focus: float | None, height: int) -> go.Figure:
    """Return an empty figure of mean W over sigma on a log axis.

    Parameters
    ----------
    sigmas
        All that the axis is to show, ascending.
    focus
        The sigma in focus, marked by a line.
    height
        In pixels.
    """
    figure = new_figure("noise σ  (for pixels in [0, 1])", "mean W", height)
    if focus is not None:
        figure.add_vline(x=focus, line={"color": OTHER, "width": 1, "dash": "dot"})
    ends = [math.log10(sigmas[0]) - 0.05, math.log10(sigmas[-1]) + 0.05] if sigmas else None
    figure.update_xaxes(type="log", range=ends, tickvals=sigmas, ticktext=[f"{sigma:g}" for sigma in sigmas])
    figure.update_yaxes(range=[0, 1.02])
    figure.update_layout(hovermode="x unified")  # the values of all curves at the nearest sigma, wherever one points
    show_legend(figure)
    return figure


def add_sigma_curve(
    figure: go.Figure, sigmas: Sequence[float], means: Sequence[Estimate], name: str, look: Look
) -> None:
    """Draw mean W over sigma, and a band of its interval for more images."""
    x = list(sigmas)
    figure.add_scatter(
        x=x + x[::-1],
        y=[mean.high for mean in means] + [mean.low for mean in means][::-1],
        mode="lines",
        fill="toself",
        fillcolor=faded(look.colour, look.band),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=x,
        y=[mean.value for mean in means],
        name=name,
        mode="lines+markers",
        line={"color": look.colour, "width": look.width, "dash": look.dash},
        marker={"symbol": look.symbol, "size": look.marker},
        customdata=[[mean.low, mean.high] for mean in means],
        meta={"customdata": INTERVAL_NAMES},
        hovertemplate=f"{name}: W = %{{y:.3f}} [%{{customdata[0]:.3f}}, %{{customdata[1]:.3f}}] at σ = %{{x:~g}}"
        "<extra></extra>",
    )
