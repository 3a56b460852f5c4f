"""ASR and W as maps over a trigger's place, or over its size and opacity."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from core.figures.layout import new_figure
from core.figures.palette import TRIGGERED
from core.figures.w_colours import top_of_scale, w_colours
from core.instruments.trigger_map import TriggerMap

_STEPS = 17


def trigger_map(
    measured: TriggerMap,
    what: str,
    row_name: str,
    column_name: str,
    here: tuple[float, float] | None = None,
    height: int = 300,
) -> go.Figure:
    """Return one map.

    Parameters
    ----------
    measured
        The values; rows run downwards, as in an image.
    what
        "ASR" or "W", whose colours end above the largest W on the map.
    row_name, column_name
        Names of the axes.
    here
        (row, column) to mark, in the axes' units.
    height
        In pixels.
    """
    is_w = what == "W"
    values = measured.w if is_w else measured.asr
    top = top_of_scale(float(values.max())) if is_w else 1.0
    figure = new_figure(column_name, row_name, height)
    rows, columns = ([f"{value:g}" for value in axis] for axis in (measured.rows, measured.columns))
    figure.add_heatmap(
        z=values,
        x=columns,
        y=rows,
        meta={"z": what},
        zmin=0,
        zmax=top,
        colorscale=_w_scale() if is_w else "Oranges",
        colorbar={"thickness": 10, "tickvals": [0, top / 2, top], "outlinewidth": 0, "title": {"text": what}},
        hovertemplate=f"{what} = %{{z:.2f}} at {row_name} %{{y}}, {column_name} %{{x}}<extra></extra>",
    )
    if here is not None:
        row, column = (int(np.abs(axis - at).argmin()) for axis, at in zip(_axes(measured), here, strict=True))
        figure.add_scatter(
            x=[columns[column]],
            y=[rows[row]],
            mode="markers",
            marker={
                "symbol": "diamond",
                "size": 13,
                "color": TRIGGERED,
                "line": {"width": 2, "color": "white"},
            },
            hoverinfo="skip",
        )
    figure.update_xaxes(type="category", showgrid=False, nticks=8)
    figure.update_yaxes(type="category", showgrid=False, autorange="reversed", nticks=8)
    return figure


def _w_scale() -> list[tuple[float, str]]:
    """Return the colours of W as Plotly takes them."""
    places = np.linspace(0, 255, _STEPS).round().astype(int)
    return [(place / 255, "rgb({},{},{})".format(*w_colours()[place].tolist())) for place in places.tolist()]


def _axes(measured: TriggerMap) -> tuple[np.ndarray, np.ndarray]:
    return measured.rows, measured.columns
