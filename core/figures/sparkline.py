"""A sparkline: mean W over sigma, clean and with the trigger, small enough for a card."""

from __future__ import annotations

from collections.abc import Sequence

from core.figures.palette import CLEAN, TRIGGERED

_WIDTH, _HEIGHT, _EDGE = 220, 72, 6
_GREY = "#7c7e8c"  # readable on both themes: a picture does not know which page it is on


def smoothness_sparkline(sigmas: Sequence[float], clean: Sequence[float], triggered: Sequence[float]) -> str:
    """Return an SVG picture of two lines over evenly spaced sigmas, W from 0 to 1; see `sparkline_words` for its alt.

    Parameters
    ----------
    sigmas
        Noise levels, ascending.
    clean, triggered
        Mean W at each of them; solid blue, and dashed vermillion.
    """
    ends = "".join(
        f'<text x="{_x(place, len(sigmas)):.1f}" y="{_HEIGHT + 15}" text-anchor="{anchor}" font-size="14" '
        f'font-family="sans-serif" fill="{_GREY}">σ = {sigmas[place]:g}</text>'
        for place, anchor in ((0, "start"), (len(sigmas) - 1, "end"))
    )
    top = f'<text x="0" y="12" font-size="14" font-family="sans-serif" fill="{_GREY}">W = 1</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT + 20}" width="{_WIDTH}">{top}'
        f'<line x1="30" x2="{_WIDTH}" y1="{_y(1):.1f}" y2="{_y(1):.1f}" stroke="{_GREY}" opacity="0.25"/>'
        f'<line x1="0" x2="{_WIDTH}" y1="{_y(0):.1f}" y2="{_y(0):.1f}" stroke="{_GREY}" opacity="0.5"/>'
        f"{_line(clean, CLEAN, '')}{_line(triggered, TRIGGERED, '5 3')}{ends}</svg>"
    )


def sparkline_words(sigmas: Sequence[float], clean: Sequence[float], triggered: Sequence[float]) -> str:
    """Say what the lines show, for people who cannot see them."""
    points = (
        f"{before:.2f} clean and {after:.2f} with the trigger at σ = {sigma:g}"
        for sigma, before, after in zip(sigmas, clean, triggered, strict=True)
    )
    return f"Mean W: {', '.join(points)}"


def _line(values: Sequence[float], colour: str, dash: str) -> str:
    points = " ".join(f"{_x(place, len(values)):.1f},{_y(value):.1f}" for place, value in enumerate(values))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dash}"/>'


def _x(place: int, count: int) -> float:
    return _EDGE + (_WIDTH - 2 * _EDGE) * place / max(1, count - 1)


def _y(value: float) -> float:
    return _HEIGHT - (_HEIGHT - _EDGE) * min(max(value, 0.0), 1.0)
