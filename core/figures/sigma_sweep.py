"""Mean W over sigma, clean against triggered, for one run and another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from core.figures.layout import new_figure
from core.figures.palette import CLEAN, OTHER, TRIGGERED, faded
from core.runs.measured.findings import crossings
from core.runs.measured.w import Measured, Measurement


def sigma_sweep(
    runs: Mapping[str, Sequence[Measurement]],
    sigma: float | None = None,
    height: int = 300,
    sigmas: Sequence[float] = (),
) -> go.Figure:
    """Return mean W over sigma with bands for more images; where the first run's curves surely cross is marked.

    Parameters
    ----------
    runs
        Name of a run -> its measurements at ascending sigma. The first is drawn solid, the next ones dashed.
    sigma
        The sigma in focus, marked by a line.
    height
        In pixels.
    sigmas
        All that the axis is to show, where some are still to be measured.
    """
    figure = new_figure("sigma  (noise, pixels in [0, 1])", "mean W", height)
    for number, (name, measurements) in enumerate(runs.items()):
        _curve(figure, name, "clean", [m.clean for m in measurements], measurements, CLEAN, number)
        _curve(figure, name, "with trigger", [m.triggered for m in measurements], measurements, TRIGGERED, number)
    if sigma is not None:
        figure.add_vline(x=sigma, line={"color": OTHER, "width": 1, "dash": "dot"})
    for crossing in crossings(next(iter(runs.values()))) if runs else ():
        figure.add_vline(x=crossing.sigma, line={"color": OTHER, "width": 2, "dash": "dash"})
        figure.add_annotation(
            x=math.log10(crossing.sigma),
            y=0.98,
            text=f" cross near {crossing.sigma:.2g}",
            xanchor="left",
            showarrow=False,
        )
    measured = {measurement.spec.sigma for measurements in runs.values() for measurement in measurements}
    ticks = sorted(measured | set(sigmas))
    ends = [math.log10(ticks[0]) - 0.05, math.log10(ticks[-1]) + 0.05] if ticks else None
    figure.update_xaxes(type="log", range=ends, tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks])
    figure.update_yaxes(range=[0, 1.02])
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": {"text": ""}}
    )
    figure.update_layout(margin={"t": 44})
    return figure


def _curve(
    figure: go.Figure,
    run: str,
    what: str,
    sides: Sequence[Measured],
    measurements: Sequence[Measurement],
    colour: str,
    number: int,
) -> None:
    x = [measurement.spec.sigma for measurement in measurements]
    means = [side.mean for side in sides]
    figure.add_scatter(
        x=x + x[::-1],
        y=[mean.high for mean in means] + [mean.low for mean in means][::-1],
        mode="lines",
        fill="toself",
        fillcolor=faded(colour, 0.16 if number == 0 else 0.07),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=x,
        y=[mean.value for mean in means],
        name=f"{run}: {what}",
        mode="lines+markers",
        line={"color": colour, "width": 2.5 if number == 0 else 1.5, "dash": "solid" if number == 0 else "dash"},
        marker={"symbol": "circle" if what == "clean" else "diamond", "size": 8 if number == 0 else 6},
        customdata=[[mean.low, mean.high] for mean in means],
        hovertemplate=f"{run}, {what}: W %{{y:.3f}} [%{{customdata[0]:.3f}}, %{{customdata[1]:.3f}}] at sigma %{{x:~g}}"
        "<extra></extra>",
    )
