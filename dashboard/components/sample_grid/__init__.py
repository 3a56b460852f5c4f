"""A grid of small images: one is selected, another pinned, by mouse, finger or keyboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dashboard.components.component import Component, to_base64

__all__ = ["Tile", "sample_grid"]

_component = Component(Path(__file__).parent)


@dataclass(frozen=True, eq=False)
class Tile:
    """One image of the grid.

    Attributes
    ----------
    place
        Its place in the test split, which names it when it is chosen.
    picture
        uint8 [H, W, 3].
    colour
        "#rrggbb" of its frame.
    note
        A few letters under it.
    title
        Its full description, for screen readers and on hover.
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
    """Show the images; the page owns what is selected and what is pinned (-1: nothing).

    Arrow keys move through the grid, Enter or a click selects, P or the pin on an image pins or unpins it.

    Parameters
    ----------
    tiles
        All of one size.
    selected, pinned
        Places.
    key
        Names this instance among the page's widgets.
    on_choose, on_pin
        Called with a place that is in the grid, before the script runs again; `on_pin` with -1 to unpin.
    """
    places = {tile.place for tile in tiles}

    def tell_page(choice: object) -> None:
        place = choice.get("place") if isinstance(choice, Mapping) else None
        if not isinstance(choice, Mapping) or type(place) is not int or place not in places:
            return
        if choice.get("pin"):
            on_pin(-1 if place == pinned else place)
        else:
            on_choose(place)

    height, width = tiles[0].picture.shape[:2] if tiles else (1, 1)
    _component.mount(
        key,
        {
            "size": [height, width],
            "tiles": [_message(tile) for tile in tiles],
            "selected": selected,
            "pinned": pinned,
        },
        choice=tell_page,
    )


def _message(tile: Tile) -> dict[str, object]:
    return {
        "place": tile.place,
        "pixels": to_base64(tile.picture.astype(np.uint8)),
        "colour": tile.colour,
        "note": tile.note,
        "title": tile.title,
    }
