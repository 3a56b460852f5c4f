"""The numbers of a table as CSV, below it: for tables of every kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.components.save_menu import save_menu
from dashboard.parts.chart import file_name

Columns = Mapping[str, Sequence[str | float | bool | None]]


def save_table(columns: Columns, *, key: str, title: str, about: Mapping[str, object]) -> None:
    """Offer a table as CSV.

    Parameters
    ----------
    columns
        Name -> values of equal length: the table as it is shown, or with numbers in place of their texts.
    key
        Names it among the page's widgets.
    title
        What the table is about, in the file and its name.
    about
        Where the numbers come from, such as run, σ, draws and seed, by their names; None values are left out.
    """
    with st.container(key=f"table-{key}"):
        save_menu(file_name(title, about), title, picture=False, about=about, columns=columns, key=f"{key}.save")
