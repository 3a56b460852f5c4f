"""A sparkline: mean W over sigma, clean and with the trigger, of a run and its control, small enough for a card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.figures.palette import CLEAN, TRIGGERED

_WIDTH, _HEIGHT, _EDGE = 220, 72, 6
_GREY = "#7c7e8c"  # readable on both themes: a picture does not know which page it is on


@dataclass(frozen=True)
class Curves:
    """Mean W of a model at each sigma, clean and with the trigger."""

    clean: Sequence[float]
    triggered: Sequence[float]


def smoothness_sparkline(sigmas: Sequence[float], run: Curves, control: Curves) -> str:
    """Return an SVG picture of lines over evenly spaced sigmas, W from 0 to 1; see `sparkline_words` for its alt.

    Parameters
    ----------
    sigmas
        Noise levels, ascending.
    run, control
        Solid blue for clean and dashed vermillion for triggered; the control's lines are thin.
    """
    ends = "".join(
        f'<text x="{_x(place, len(sigmas)):.1f}" y="{_HEIGHT + 15}" text-anchor="{anchor}" font-size="14" '
        f'font-family="sans-serif" fill="{_GREY}">σ = {sigmas[place]:g}</text>'
        for place, anchor in ((0, "start"), (len(sigmas) - 1, "end"))
    )
    top = f'<text x="0" y="12" font-size="14" font-family="sans-serif" fill="{_GREY}">W = 1</text>'
    lines = "".join(
        _line(values, colour, dash, width)
        for curves, width in ((control, 1.0), (run, 2.5))
        for values, colour, dash in ((curves.clean, CLEAN, ""), (curves.triggered, TRIGGERED, "5 3"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT + 20}" width="{_WIDTH}">{top}'
        f'<line x1="46" x2="{_WIDTH}" y1="{_y(1):.1f}" y2="{_y(1):.1f}" stroke="{_GREY}" opacity="0.25"/>'
        f'<line x1="0" x2="{_WIDTH}" y1="{_y(0):.1f}" y2="{_y(0):.1f}" stroke="{_GREY}" opacity="0.5"/>'
        f"{lines}{ends}</svg>"
    )


def sparkline_words(sigmas: Sequence[float], run: Curves, control: Curves) -> str:
    """Say what the lines show, for people who cannot see them."""
    points = (
        f"{before:.2f} clean and {after:.2f} with the trigger at σ = {sigma:g} (control {there:.2f} and {then:.2f})"
        for sigma, before, after, there, then in zip(
            sigmas, run.clean, run.triggered, control.clean, control.triggered, strict=True
        )
    )
    return f"Mean W: {', '.join(points)}"


def _line(values: Sequence[float], colour: str, dash: str, width: float) -> str:
    points = " ".join(f"{_x(place, len(values)):.1f},{_y(value):.1f}" for place, value in enumerate(values))
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dash}"/>'
    )


def _x(place: int, count: int) -> float:
    return _EDGE + (_WIDTH - 2 * _EDGE) * place / max(1, count - 1)


def _y(value: float) -> float:
    return _HEIGHT - (_HEIGHT - _EDGE) * min(max(value, 0.0), 1.0)
