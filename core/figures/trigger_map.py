"""ASR and W as maps over a trigger's place, or over its size and opacity."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from core.figures.layout import new_figure
from core.figures.palette import TRIGGERED
from core.instruments.trigger_map import TriggerMap

_SCALES = {"ASR": "Oranges", "W": "Cividis"}


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
        "ASR" or "W".
    row_name, column_name
        Names of the axes.
    here
        (row, column) to mark, in the axes' units.
    height
        In pixels.
    """
    values = measured.asr if what == "ASR" else measured.w
    figure = new_figure(column_name, row_name, height)
    rows, columns = ([f"{value:g}" for value in axis] for axis in (measured.rows, measured.columns))
    figure.add_heatmap(
        z=values,
        x=columns,
        y=rows,
        meta={"z": what},
        zmin=0,
        zmax=1,
        colorscale=_SCALES[what],
        colorbar={"thickness": 10, "tickvals": [0, 0.5, 1], "outlinewidth": 0, "title": {"text": what}},
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


def _axes(measured: TriggerMap) -> tuple[np.ndarray, np.ndarray]:
    return measured.rows, measured.columns
