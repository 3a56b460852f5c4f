"""A grid of small pictures to choose one from, and to pin another: by mouse, finger or keyboard."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

__all__ = ["Tile", "sample_grid"]

_HERE = Path(__file__).parent
_mount = component(
    "sample_grid",
    html=(_HERE / "sample_grid.html").read_text(encoding="utf-8"),
    css=(_HERE / "sample_grid.css").read_text(encoding="utf-8"),
    js=(_HERE / "sample_grid.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture of the grid.

    Attributes
    ----------
    place
        What it is called when it is chosen: its place in the test split.
    picture
        uint8 [H, W, 3].
    colour
        "#rrggbb" of its frame.
    note
        A few letters under it.
    title
        All that is to be said of it, for screen readers and on hover.
    """

    place: int
    picture: np.ndarray
    colour: str
    note: str
    title: str


def sample_grid(
    tiles: Sequence[Tile],
    *,
    selected: int,
    pinned: int,
    key: str,
    on_choose: Callable[[int], None],
    on_pin: Callable[[int], None],
) -> None:
    """Show the pictures; the page owns what is selected and what is pinned (-1: nothing).

    Arrow keys walk through the grid, Enter or a click chooses, P or the pin on a picture pins or lets go.

    Parameters
    ----------
    tiles
        All of one size.
    selected, pinned
        Places.
    key
        Names this instance among the page's widgets.
    on_choose, on_pin
        Called with a place that is in the grid, before the script runs again; `on_pin` with -1 to let go.
    """
    places = {tile.place for tile in tiles}

    def tell_page() -> None:
        state: Any = st.session_state.get(key)
        choice = state.get("choice") if isinstance(state, Mapping) else None
        place = choice.get("place") if isinstance(choice, Mapping) else None
        if type(place) is not int or place not in places:
            return
        if choice.get("pin"):
            on_pin(-1 if place == pinned else place)
        else:
            on_choose(place)

    height, width = tiles[0].picture.shape[:2] if tiles else (1, 1)
    _mount(
        key=key,
        data={
            "size": [height, width],
            "tiles": [_message(tile) for tile in tiles],
            "selected": selected,
            "pinned": pinned,
        },
        on_choice_change=tell_page,
    )


def _message(tile: Tile) -> dict[str, object]:
    pixels = base64.b64encode(np.ascontiguousarray(tile.picture, np.uint8).tobytes()).decode()
    return {
        "place": tile.place,
        "pixels": pixels,
        "colour": tile.colour,
        "note": tile.note,
        "title": tile.title,
    }
