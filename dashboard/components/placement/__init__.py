"""A picture on which a trigger can be dragged about, by mouse, finger or arrow keys, one whole pixel at a time."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from core.errors import InputError

__all__ = ["placement"]

_HERE = Path(__file__).parent
_mount = component(
    "placement",
    html=(_HERE / "placement.html").read_text(encoding="utf-8"),
    css=(_HERE / "placement.css").read_text(encoding="utf-8"),
    js=(_HERE / "placement.js").read_text(encoding="utf-8"),
)


def placement(
    image: np.ndarray,
    trigger: np.ndarray,
    top: int,
    left: int,
    *,
    key: str,
    side_px: int = 280,
    on_move: Callable[[int, int], None],
) -> None:
    """Show an image with a trigger on it that people move.

    The page owns the place: what it passes is shown, except while the browser has moved the trigger since.

    Parameters
    ----------
    image
        uint8 [H, W, 3], the picture without the trigger.
    trigger
        uint8 [h, w, 4], straight alpha, no larger than the image; as it looks on such images.
    top, left
        Row and column of its upper left pixel.
    key
        Names this instance among the page's widgets.
    side_px
        Longest edge of the picture in CSS pixels.
    on_move
        Called with row and column before the script runs again, several times a second while the trigger is dragged.

    Raises
    ------
    InputError
        The arrays have other shapes, or the trigger does not lie on the image.
    """
    height, width = image.shape[:2]
    if image.shape != (height, width, 3) or trigger.ndim != 3 or trigger.shape[2] != 4:
        raise InputError(
            f"A picture is [H, W, 3] and a trigger [h, w, 4]; got {list(image.shape)} and {list(trigger.shape)}."
        )
    if not (0 <= top <= height - trigger.shape[0] and 0 <= left <= width - trigger.shape[1]):
        raise InputError(f"The trigger at row {top}, column {left} does not lie on the image: move it onto it.")

    def tell_page() -> None:
        moves, place = _latest(key)
        limits = height - trigger.shape[0], width - trigger.shape[1]
        if moves and all(0 <= at <= most for at, most in zip(place, limits, strict=True)):
            on_move(*place)

    _mount(
        key=key,
        data={
            "image": _encode(image),
            "trigger": _encode(trigger),
            "size": [height, width],
            "triggerSize": list(trigger.shape[:2]),
            "place": [top, left],
            "moves": _latest(key)[0],
            "side": side_px,
        },
        on_moved_change=tell_page,
    )


def _latest(key: str) -> tuple[int, tuple[int, int]]:
    """How often the browser has moved the trigger so far, and where to: nothing but whole numbers is believed."""
    state: Any = st.session_state.get(key)
    moved = state.get("moved") if isinstance(state, Mapping) else None
    if not isinstance(moved, Mapping):
        return 0, (0, 0)
    values = [moved.get(name) for name in ("moves", "top", "left")]
    if not all(type(value) is int for value in values):
        return 0, (0, 0)
    return values[0], (values[1], values[2])


def _encode(pixels: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(pixels, np.uint8).tobytes()).decode()
