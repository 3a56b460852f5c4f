"""Mean W over sigma, clean against triggered, for one run and another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from core.figures.palette import CLEAN, OTHER, TRIGGERED
from core.figures.sigma_curve import Look, add_sigma_curve, new_sigma_figure
from core.runs.measured.findings import crossings
from core.runs.measured.w import Measurement


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
    measured = {measurement.spec.sigma for measurements in runs.values() for measurement in measurements}
    figure = new_sigma_figure(sorted(measured | set(sigmas)), sigma, height)
    for number, (name, measurements) in enumerate(runs.items()):
        at = [measurement.spec.sigma for measurement in measurements]
        clean = [measurement.clean.mean for measurement in measurements]
        triggered = [measurement.triggered.mean for measurement in measurements]
        add_sigma_curve(figure, at, clean, f"{name}: clean", _look(CLEAN, "circle", number))
        add_sigma_curve(figure, at, triggered, f"{name}: with trigger", _look(TRIGGERED, "diamond", number))
    for crossing in crossings(next(iter(runs.values()))) if runs else ():
        figure.add_vline(x=crossing.sigma, line={"color": OTHER, "width": 2, "dash": "dash"})
        figure.add_annotation(
            x=math.log10(crossing.sigma),
            y=0.98,
            text=f" cross near σ = {crossing.sigma:.2g}",
            xanchor="left",
            showarrow=False,
        )
    return figure


def _look(colour: str, symbol: str, number: int) -> Look:
    """Return how the first run's curves are drawn, or those of another one."""
    return Look(colour, "solid", symbol, 2.5, 8, 0.16) if number == 0 else Look(colour, "dash", symbol, 1.5, 6, 0.07)
