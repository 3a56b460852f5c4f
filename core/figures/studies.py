"""What the runs of a study show together: the gap against attack success, over sigma, and over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import plotly.graph_objects as go

from core.figures.layout import INTERVAL_NAMES, new_figure
from core.figures.palette import OTHER, faded
from core.studies.columns import EpochRow, Row

# From weak to strong attacks, distinguishable on light and dark backgrounds; each has a marker of its own.
_COLOURS = ("#5aa9e6", "#4a7fd0", "#7d5fc4", "#b2479a", "#d6473f", "#e58a1f")
_MARKS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
GAP = "gap (W clean − W with trigger)"


def gap_against_success(rows: Sequence[Row], height: int = 330) -> go.Figure:
    """Return the gap of every run over its attack success rate; controls are open circles.

    Parameters
    ----------
    rows
        Of one group and one sigma. A point's `customdata` is its run's name.
    """
    figure = new_figure("attack success rate", GAP, height)
    for rate, colour, mark in _styles(rows):
        chosen = [row for row in rows if row.rate == rate and row.attack_success_rate is not None]
        figure.add_scatter(
            x=[row.attack_success_rate for row in chosen],
            y=[row.gap for row in chosen],
            error_y=_reach(chosen),
            customdata=[
                [row.run, row.seed, row.gap_low, row.gap_high, _beyond(row), row.gap_beyond_control] for row in chosen
            ],
            meta={"customdata": ["run", "seed", *INTERVAL_NAMES, "", "gap beyond the control's"]},
            name=_rate_name(rate),
            mode="markers",
            marker=_marker(colour, mark, open_mark=rate == 0),
            hovertemplate=_rate_name(rate) + ", seed %{customdata[1]}<br>ASR %{x:.1%}<br>gap %{y:+.3f}<br>"
            "[%{customdata[2]:+.3f}, %{customdata[3]:+.3f}]%{customdata[4]}<extra></extra>",
        )
    figure.update_xaxes(range=[-0.04, 1.04], tickformat=".0%")
    return _with_keys(figure)


def _beyond(row: Row) -> str:
    """Return how far the gap lies beyond the control's, in words: C3 is judged on this."""
    return "" if row.gap_beyond_control is None else f"<br>beyond control {row.gap_beyond_control:+.3f}"


def gap_over_sigma(rows: Sequence[Row], sigma: float | None = None, height: int = 330) -> go.Figure:
    """Return the mean gap over sigma, a line for each rate, with a faint point for every run.

    Parameters
    ----------
    rows
        Of one group, at all sigmas. A point's `customdata` is its run's name.
    sigma
        The sigma in focus, marked by a line.
    """
    figure = new_figure("noise σ  (for pixels in [0, 1])", GAP, height)
    sigmas = sorted({row.sigma for row in rows if row.sigma is not None})
    for rate, colour, mark in _styles(rows):
        chosen = [row for row in rows if row.rate == rate]
        figure.add_scatter(
            x=[row.sigma for row in chosen],
            y=[row.gap for row in chosen],
            customdata=[[row.run, row.seed] for row in chosen],
            meta={"customdata": ["run", "seed"]},
            name=_rate_name(rate),
            mode="markers",
            marker=_marker(faded(colour, 0.45), mark, open_mark=rate == 0) | {"size": 6},
            hovertemplate=_rate_name(rate) + ", seed %{customdata[1]}<br>gap %{y:+.3f}<br>σ = %{x:~g}<extra></extra>",
            showlegend=False,
        )
        means = [_mean_gap([row for row in chosen if row.sigma == level]) for level in sigmas]
        figure.add_scatter(
            x=sigmas,
            y=means,
            name=_rate_name(rate),
            mode="lines",
            line={"color": colour, "width": 2.5, "dash": "dot" if rate == 0 else "solid"},
            hoverinfo="skip",
            meta={"curve": f"{_rate_name(rate)}, mean of the runs"},
        )
    if sigma is not None:
        figure.add_vline(x=sigma, line={"color": OTHER, "width": 1, "dash": "dot"})
    ticks = _ticks(sigmas)
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks], tickangle=0)
    return _with_keys(figure)


def gap_over_epochs(rows: Sequence[EpochRow], height: int = 330) -> go.Figure:
    """Return the gap over the epochs: a thin line for every training, and the mean of the seeds at each rate.

    Parameters
    ----------
    rows
        Of one group. A point's `customdata` begins with its run's name.
    """
    figure = new_figure("epoch", GAP, height)
    for rate, colour, mark in _styles(rows):
        name = _rate_name(rate)
        of_rate = sorted((row for row in rows if row.rate == rate), key=lambda row: (row.run, row.epoch))
        for _, run in groupby(of_rate, lambda row: row.run):
            course = list(run)
            figure.add_scatter(
                x=[row.epoch for row in course],
                y=[row.gap for row in course],
                customdata=[[row.run, row.seed, row.attack_success_rate] for row in course],
                meta={"customdata": ["run", "seed", "attack success rate"]},
                name=name,
                legendgroup=name,
                showlegend=False,
                mode="lines+markers",
                line={"color": faded(colour, 0.3), "width": 0.8},
                marker={"color": faded(colour, 0.3), "size": 3},
                hovertemplate=f"{name}, seed %{{customdata[1]}}<br>epoch %{{x}}<br>gap %{{y:+.3f}}<br>"
                "ASR %{customdata[2]:.1%}<extra></extra>",
            )
        epochs = sorted({row.epoch for row in of_rate})
        figure.add_scatter(
            x=epochs,
            y=[_mean_gap([row for row in of_rate if row.epoch == epoch]) for epoch in epochs],
            name=name,
            legendgroup=name,
            mode="lines+markers",
            line={"color": colour, "width": 2.5},
            marker=_marker(colour, mark) | {"size": 6},
            meta={"curve": f"{name}, mean of the runs"},
            hovertemplate=f"{name}, mean of the runs<br>epoch %{{x}}<br>gap %{{y:+.3f}}<extra></extra>",
        )
    last = max((row.epochs for row in rows), default=1)
    figure.update_xaxes(tick0=0, dtick=-(-last // 5), tickformat="d")
    return _with_keys(figure)


def _ticks(sigmas: Sequence[float]) -> list[float]:
    """Return the sigmas whose labels do not overlap on a narrow screen."""
    kept = [sigmas[-1]]
    for sigma in reversed(sigmas[:-1]):
        if np.log(kept[-1] / sigma) > 0.15 * np.log(sigmas[-1] / sigmas[0]):
            kept.append(sigma)
    return kept[::-1]


def _styles(rows: Sequence[Row] | Sequence[EpochRow]) -> list[tuple[float, str, str]]:
    """Return each rate with its colour and mark; the strongest attack always looks the same."""
    rates = sorted({row.rate for row in rows})
    poisoned = [rate for rate in rates if rate > 0]
    places = np.linspace(0, len(_COLOURS) - 1, max(2, len(poisoned))).round().astype(int)[::-1][: len(poisoned)][::-1]
    styled = [(rate, _COLOURS[place], _MARKS[place]) for rate, place in zip(poisoned, places, strict=True)]
    return ([(0.0, OTHER, "circle")] if 0 in rates else []) + styled


def _mean_gap(rows: Sequence[Row] | Sequence[EpochRow]) -> float:
    return float(np.mean(np.array([row.gap for row in rows], np.float64)))


def _rate_name(rate: float) -> str:
    return "control" if rate == 0 else f"{100 * rate:g}%"


def _marker(colour: str, mark: str, open_mark: bool = False) -> dict[str, object]:
    outline = {"color": colour, "width": 1.6 if open_mark else 0}
    return {"color": colour, "symbol": f"{mark}-open" if open_mark else mark, "size": 9, "line": outline}


def _reach(rows: Sequence[Row]) -> dict[str, object]:
    """Return the error bars of a gap: its interval for more images."""
    intervals = np.array([(row.gap_low, row.gap, row.gap_high) for row in rows], np.float64).reshape(-1, 3)
    down, up = np.diff(intervals, axis=1).T.tolist()
    return {"type": "data", "array": up, "arrayminus": down, "thickness": 0.7, "width": 0, "color": faded(OTHER, 0.5)}


def _with_keys(figure: go.Figure) -> go.Figure:
    figure.add_hline(y=0, line={"color": OTHER, "width": 1})
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": {"text": ""}, "font": {"size": 12}}
    figure.update_layout(showlegend=True, legend=legend, margin={"t": 44, "l": 58})
    return figure
