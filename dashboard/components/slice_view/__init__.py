"""An interactive slice of the decision function: hovering shows the image, a click or Enter selects it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.components.component import Component, sent
from dashboard.components.slice_view.encoding import encode_slice

if TYPE_CHECKING:
    from core.figures.slice_layers import SliceLayer
    from core.instruments.slices.plane import SlicePlane

__all__ = ["Point", "slice_view"]

Point = tuple[float, float]

_component = Component(Path(__file__).parent)


def slice_view(
    plane: SlicePlane,
    classes: Sequence[str],
    *,
    colours: Sequence[str],
    point_names: Mapping[str, str],
    sigma: float | None = None,
    layer: SliceLayer | None = None,
    triggered: bool = True,
    selected: Point | None = None,
    axis_names: tuple[str, str] = ("along the trigger", "across"),
    height_px: int = 460,
    compact: bool = False,
    growing: float | None = None,
    group: str = "",
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
    layer : SliceLayer or None
        Numbers to show in colour instead of the labels, whose borders and names stay; see `core.figures.slice_layers`.
    triggered : bool
        Whether "toward" is the image with the trigger; any other image is drawn like "across", without a ring.
    selected : (x, y) or None
        The selected point in L2 distances. With `on_select` the page owns the selection: what it passes here is
        shown. Without, the selection is whatever came last: another point passed here, or one that people select.
    axis_names : tuple[str, str]
        What x and y measure.
    height_px : int
        Largest edge of the map in CSS pixels; on narrow pages it shrinks to fit.
    compact : bool
        Leave out the legend, the note on the rings and the hint for the keyboard, for small places.
    growing : float or None
        The share that is there, from 0 to 1, of a slice that is not finished: as soon as the browser has drawn it, it
        asks for a rerun (of the fragment that the map is in), in which the page passes the next, better one. None
        when it is finished.
    group : str
        Maps of one group on one page show each other's cursor; their planes have the same axes.
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
    encoded = encode_slice(
        plane,
        classes,
        colours=colours,
        point_names=point_names,
        axis_names=axis_names,
        sigma=sigma,
        layer=layer,
        triggered=triggered,
    )
    extent = encoded["extent"]
    pick, point = _read_pick(sent(key, "selection"), extent)
    if on_select is None:
        selected = _newest(key, selected, pick, point)

    def tell_page(selection: object) -> None:
        if on_select is not None:
            on_select(_read_pick(selection, extent)[1])

    _component.mount(
        key,
        {
            "slice": encoded,
            "height": height_px,
            "compact": compact,
            "selected": selected and list(selected),
            "pick": pick,
            "growing": growing,
            "group": group,
            "key": key,
        },
        selection=tell_page,
        drawn=_ignore,
    )
    return selected


def _ignore(share: object) -> None:
    """Do nothing: the rerun that follows is what the browser asked for."""


def _newest(key: str, passed: Point | None, pick: int, picked: Point | None) -> Point | None:
    """What came last: the point that the page passes, from when it changed, or a point that people selected."""
    memory = f"{key}.passed"
    before, picks = st.session_state.get(memory, (passed, 0))
    if before != passed:
        picks = pick
    elif pick < picks:  # the map was away in between, and counts from zero again
        picks = 0
    st.session_state[memory] = passed, picks
    return picked if pick > picks else passed


def _read_pick(selection: object, extent: Sequence[float]) -> tuple[int, Point | None]:
    """How often the browser has selected so far, and what it selected last.

    The number goes back with the data: until it catches up with the browser's own, the browser keeps showing its newer
    selection instead of what Python still believes.
    """
    if not isinstance(selection, Mapping) or not isinstance(selection.get("pick"), int):
        return 0, None
    return selection["pick"], _point(selection.get("point"), extent)


def _point(value: object, extent: Sequence[float]) -> Point | None:
    """A point that the browser sent; None unless it is two finite numbers on the map."""
    if not isinstance(value, Sequence) or len(value) != 2:
        return None
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in value):
        return None
    x, y = float(value[0]), float(value[1])
    slack = 1e-6 * (extent[1] - extent[0])
    inside = extent[0] - slack <= x <= extent[1] + slack and extent[2] - slack <= y <= extent[3] + slack
    return (x, y) if inside else None
