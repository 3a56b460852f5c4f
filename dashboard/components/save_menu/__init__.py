"""A small menu that saves the chart or the table next to it as PNG, SVG or CSV, all made in the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dashboard.components.component import Component

__all__ = ["save_menu"]

Columns = Mapping[str, Sequence[str | float | bool | None]]

_component = Component(Path(__file__).parent)


def save_menu(
    file: str,
    title: str,
    *,
    picture: bool = True,
    words: str = "",
    about: Mapping[str, object],
    columns: Columns | None = None,
    curves: Sequence[tuple[str, str, tuple[int, int]]] = (),
    key: str,
) -> None:
    """Offer to save the chart or the table that stands in the same container.

    The container's key begins with "saved-". The files are made in the browser, when somebody asks for one.

    Parameters
    ----------
    file
        Name of the files without an ending.
    title
        What stands above the saved chart.
    picture
        Whether there is a chart; else there is only a table.
    words
        The chart in words, for people who cannot see it.
    about
        Where the numbers come from: below the saved chart, and in comment lines of the CSV.
    columns
        Name -> values of equal length, for what is no Plotly chart: that has its own numbers.
    curves
        (name, "#rrggbb", dash in pixels) of each curve of a chart that has no legend of its own.
    key
        Names this instance among the page's widgets.
    """
    table = None
    if columns is not None:
        table = {"columns": list(columns), "rows": [list(row) for row in zip(*columns.values(), strict=True)]}
    _component.mount(
        key,
        {
            "file": file,
            "title": title,
            "words": words,
            "picture": picture,
            "about": [[name, f"{value}"] for name, value in about.items() if value is not None],
            "table": table,
            "curves": [list(curve) for curve in curves],
        },
    )
