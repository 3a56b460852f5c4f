"""Mean W over sigma of several attacks on one axis, each on the model that was trained with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from core.figures.palette import CLEAN, DASHES, TRIGGERED
from core.figures.sigma_curve import Look, add_sigma_curve, new_sigma_figure
from core.runs.measured.w import Measurement

# Distinct from the blue of clean. Each attack also has its own dash and marker.
ATTACK_COLOURS = (TRIGGERED, "#832db6", "#009e73", "#cc79a7")
_SYMBOLS = ("diamond", "square", "triangle-up", "x")


def compared_sweeps(
    attacks: Mapping[str, Sequence[Measurement]], sigmas: Sequence[float], focus: Sequence[float], height: int = 380
) -> go.Figure:
    """Return for each attack W with its trigger, in a colour of its own, and W clean, in blue; with bands.

    Parameters
    ----------
    attacks
        Name of an attack -> its measurements at ascending sigma.
    sigmas
        All that the axis is to show, ascending, where some are still to be measured.
    focus
        The sigmas that the rest of the page is about, marked by lines.
    height
        In pixels.
    """
    figure = new_sigma_figure(sigmas, None, height)
    for sigma in focus:
        figure.add_vline(x=sigma, line={"color": "#717581", "width": 1, "dash": "dot"})
    for number, (name, measurements) in enumerate(attacks.items()):
        at = [measured.spec.sigma for measured in measurements]
        colour, dash, symbol = ATTACK_COLOURS[number], DASHES[number], _SYMBOLS[number]
        clean = [measured.clean.mean for measured in measurements]
        add_sigma_curve(figure, at, clean, f"{name}: clean", Look(CLEAN, dash, symbol, 1.4, 6, 0.04))
        triggered = [measured.triggered.mean for measured in measurements]
        add_sigma_curve(figure, at, triggered, f"{name}: with trigger", Look(colour, dash, symbol, 2.5, 9))
    figure.update_layout(margin={"t": 24 + 20 * len(attacks)})
    return figure
