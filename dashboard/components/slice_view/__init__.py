"""A slice of the decision function to look at and to touch: hover shows the image, click or Enter selects it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.components.v2 import component

from .encoding import encode_slice

if TYPE_CHECKING:
    from core.slices import SlicePlane

__all__ = ["Point", "slice_view"]

Point = tuple[float, float]

_HERE = Path(__file__).parent
_mount = component(
    "slice_view",
    html=(_HERE / "slice_view.html").read_text(encoding="utf-8"),
    css=(_HERE / "slice_view.css").read_text(encoding="utf-8"),
    js=(_HERE / "slice_view.js").read_text(encoding="utf-8"),
)


def slice_view(
    plane: SlicePlane,
    classes: Sequence[str],
    *,
    colours: Sequence[str],
    point_names: Mapping[str, str],
    sigma: float | None = None,
    selected: Point | None = None,
    axis_names: tuple[str, str] = ("along the trigger", "across"),
    height_px: int = 460,
    compact: bool = False,
    key: str,
    on_select: Callable[[Point | None], None] | None = None,
) -> Point | None:
    """Draw a slice and return the selected point.

    Call it again with the same key and a finer plane: the map is replaced in place, cursor and selection stay. A plane
    through other images needs another key, or a page that owns the selection.

    Parameters
    ----------
    plane : SlicePlane
        Labels on a plane through image space, with the three images that span it.
    classes : Sequence[str]
        The name of each label.
    colours : Sequence[str]
        "#rrggbb" per class; classes beyond their number reuse them with a pattern.
    point_names : Mapping[str, str]
        Display names of the points "origin" (drawn as a blue circle), "toward" (a vermillion diamond) and "across"
        (a square); leave out those that are not to be drawn.
    sigma : float or None
        Radius of the rings around origin and toward, in pixel values; None draws none.
    selected : (x, y) or None
        The selected point in L2 distances. With `on_select` the page owns the selection: what it passes here is
        shown. Without, this is where the selection starts, and the component keeps it.
    axis_names : tuple[str, str]
        What x and y measure.
    height_px : int
        Largest edge of the map in CSS pixels; on narrow pages it shrinks to fit.
    compact : bool
        Leave out the legend, the note on the rings and the hint for the keyboard, for small places.
    key : str
        Names this instance; the same key keeps cursor, focus and selection through new planes.
    on_select : callable or None
        Called before the rerun with the point that was selected, or None when the selection was cleared.

    Returns
    -------
    (x, y) or None
        The selected point: a grid point, or exactly one of the plane's points of interest.

    Raises
    ------
    InputError
        If the arrays don't fit each other.
    """
    encoded = encode_slice(plane, classes, colours=colours, point_names=point_names, axis_names=axis_names, sigma=sigma)
    pick, point = _latest_pick(key, encoded["extent"])
    if on_select is None and pick:
        selected = point

    def tell_page() -> None:
        if on_select is not None:
            on_select(_latest_pick(key, encoded["extent"])[1])

    _mount(
        key=key,
        data={
            "slice": encoded,
            "height": height_px,
            "compact": compact,
            "selected": selected and list(selected),
            "pick": pick,
        },
        on_selection_change=tell_page,
    )
    return selected


def _latest_pick(key: str, extent: Sequence[float]) -> tuple[int, Point | None]:
    """How often the browser has selected so far, and what it selected last.

    The number goes back with the data: until it catches up with the browser's own, the browser keeps showing its newer
    selection instead of what Python still believes.
    """
    state: Any = st.session_state.get(key)
    selection = state.get("selection") if isinstance(state, Mapping) else None
    if not isinstance(selection, Mapping) or not isinstance(selection.get("pick"), int):
        return 0, None
    return selection["pick"], _point(selection.get("point"), extent)


def _point(value: object, extent: Sequence[float]) -> Point | None:
    """A point that came from a browser, or None where it is none or lies off the map."""
    if not isinstance(value, Sequence) or len(value) != 2:
        return None
    if not all(isinstance(part, int | float) and math.isfinite(part) for part in value):
        return None
    x, y = float(value[0]), float(value[1])
    slack = 1e-6 * (extent[1] - extent[0])
    inside = extent[0] - slack <= x <= extent[1] + slack and extent[2] - slack <= y <= extent[3] + slack
    return (x, y) if inside else None
