"""What all Plotly figures share: type, spacing, a ground that suits light and dark pages."""

from __future__ import annotations

import plotly.graph_objects as go

# What a saved table calls them. A trace's `meta` names its `customdata` and `text` in that table, and x, y, z and
# `curve` where the axes' titles and its name do not say it; "" leaves one out.
INTERVAL_NAMES = ("low end of the 95% interval", "high end of the 95% interval")


def new_figure(x_title: str, y_title: str, height: int) -> go.Figure:
    """Return an empty figure with both axes named, no clutter, and room for direct labels."""
    figure = go.Figure()
    axis = {"showgrid": True, "gridcolor": "rgba(128,128,140,0.18)", "zeroline": False, "ticks": ""}
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 52, "r": 16, "t": 30, "b": 46},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 13, "color": "#80808c", "family": '"Source Sans", "Source Sans Pro", sans-serif'},
        hoverlabel={"font": {"size": 13}},
        showlegend=False,
        xaxis=axis | {"title": {"text": x_title}},
        yaxis=axis | {"title": {"text": y_title}},
    )
    return figure


def show_legend(figure: go.Figure) -> None:
    """Show the names of the curves in a row above the plot, and make room for it."""
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": {"text": ""}}
    figure.update_layout(showlegend=True, legend=legend, margin={"t": 44})
