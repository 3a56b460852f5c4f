"""Charts as every page shows them: in the page's ink, described in words, and with a menu that saves them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from dashboard.components.save_menu import save_menu
from dashboard.parts.html import figure_ink

if TYPE_CHECKING:
    import plotly.graph_objects as go


def chart(
    figure: go.Figure,
    alt: str,
    *,
    key: str,
    title: str,
    about: Mapping[str, object],
    on_select: Callable[[], None] | Literal["rerun", "ignore"] = "ignore",
) -> Any:
    """Draw a figure, and offer it as PNG, SVG and CSV.

    Parameters
    ----------
    figure
        The axes' titles name the columns of the CSV; a trace's `meta` names what they do not.
    alt
        The figure in words.
    key
        Names the chart among the page's widgets.
    title
        What stands above the saved picture, as plain text.
    about
        Where the numbers come from, such as run, σ, draws and seed, by their names; None values are left out.
    on_select
        What happens when somebody selects a point, as in `st.plotly_chart`.

    Returns
    -------
    object
        What `st.plotly_chart` returns.
    """
    figure.update_layout(font_color=figure_ink())
    with st.container(key=f"saved-{key}"):
        event = st.plotly_chart(
            figure,
            theme=None,
            key=key,
            alt=alt,
            config={"displayModeBar": False},
            on_select=on_select,
            selection_mode="points",
        )
        save_menu(file_name(title, about), title, words=alt, about=about, key=f"{key}.save")
    return event


def file_name(title: str, about: Mapping[str, object]) -> str:
    """Return what to call the files of a chart or a table: the run, if it is about one, and the title."""
    slug = re.sub("[^a-z0-9]+", "-", title.lower().replace("σ", "sigma")).strip("-")
    return "-".join(["triggerscope", *([str(about["run"])] if "run" in about else []), slug])
