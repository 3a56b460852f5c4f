"""Mean W over sigma under several triggers, overlaid, next to the same images without one."""

from __future__ import annotations

import plotly.graph_objects as go

from core.figures.palette import CLEAN, DASHES, OTHER, TRIGGERED
from core.figures.sigma_curve import Look, add_sigma_curve, new_sigma_figure
from core.instruments.trigger_sweep import TriggerSweep

# Distinct from the blue of clean. Each trigger also has its own dash and marker.
_COLOURS = (TRIGGERED, "#832db6", "#009e73", "#a96b59", OTHER, "#cc79a7")
_SYMBOLS = ("diamond", "square", "triangle-up", "x", "star", "cross")


def trigger_sweep(sweep: TriggerSweep, sigma: float | None = None, height: int = 380) -> go.Figure:
    """Return the curves with bands for more images; `sigma` is marked by a line."""
    figure = new_sigma_figure(sweep.sigmas, sigma, height)
    add_sigma_curve(figure, sweep.sigmas, sweep.mean(), "clean", Look(CLEAN, "solid", "circle"))
    for number, name in enumerate(sweep.triggered):
        colour, dash, symbol = (looks[number % len(looks)] for looks in (_COLOURS, DASHES, _SYMBOLS))
        title = f"{name} (ASR {sweep.asr[name]:.0%})"
        add_sigma_curve(figure, sweep.sigmas, sweep.mean(name), title, Look(colour, dash, symbol))
    figure.update_layout(margin={"t": 60})  # long names take two rows
    return figure
