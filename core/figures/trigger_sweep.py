"""Mean W over sigma under several triggers, overlaid, beside the same images without one."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from core.figures.layout import new_figure
from core.figures.palette import CLEAN, OTHER, TRIGGERED, faded
from core.instruments.statistics import Estimate
from core.instruments.trigger_sweep import TriggerSweep

# Apart from the blue of clean, and each with a dash and a marker of its own.
_COLOURS = (TRIGGERED, "#832db6", "#009e73", "#a96b59", OTHER, "#cc79a7")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS = ("diamond", "square", "triangle-up", "x", "star", "cross")


def trigger_sweep(sweep: TriggerSweep, sigma: float | None = None, height: int = 380) -> go.Figure:
    """Return the curves with bands for more images; `sigma` is marked by a line."""
    figure = new_figure("sigma  (noise, pixels in [0, 1])", "mean W", height)
    _curve(figure, sweep.sigmas, sweep.mean(), "clean", CLEAN, "solid", "circle")
    for number, name in enumerate(sweep.triggered):
        look = (kind[number % len(kind)] for kind in (_COLOURS, _DASHES, _SYMBOLS))
        _curve(figure, sweep.sigmas, sweep.mean(name), f"{name} (ASR {sweep.asr[name]:.0%})", *look)
    if sigma is not None:
        figure.add_vline(x=sigma, line={"color": OTHER, "width": 1, "dash": "dot"})
    figure.update_xaxes(type="log", tickvals=sweep.sigmas, ticktext=[f"{tick:g}" for tick in sweep.sigmas])
    figure.update_yaxes(range=[0, 1.02])
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}, margin={"t": 60}
    )
    return figure


def _curve(
    figure: go.Figure,
    sigmas: Sequence[float],
    means: Sequence[Estimate],
    name: str,
    colour: str,
    dash: str,
    symbol: str,
) -> None:
    x = list(sigmas)
    figure.add_scatter(
        x=x + x[::-1],
        y=[mean.high for mean in means] + [mean.low for mean in means][::-1],
        mode="lines",
        fill="toself",
        fillcolor=faded(colour, 0.1),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=x,
        y=[mean.value for mean in means],
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": 2.2, "dash": dash},
        marker={"symbol": symbol, "size": 8},
        hovertemplate=f"{name}: W %{{y:.3f}} at sigma %{{x:~g}}<extra></extra>",
    )
