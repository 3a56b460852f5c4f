"""An image on which people move a trigger, by mouse, finger or arrow keys, in whole pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from core.errors import InputError
from dashboard.components.component import Component, sent, to_base64

__all__ = ["placement"]

_component = Component(Path(__file__).parent)


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

    The page owns the place: what it passes is shown, unless the browser has moved the trigger since.

    Parameters
    ----------
    image
        uint8 [H, W, 3], the image without the trigger.
    trigger
        uint8 [h, w, 4], straight alpha, no larger than the image; as it looks on these images.
    top, left
        Row and column of its upper left pixel.
    key
        Names this instance among the page's widgets.
    side_px
        Longest edge of the image in CSS pixels.
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
            f"An image is [H, W, 3] and a trigger [h, w, 4]; got {list(image.shape)} and {list(trigger.shape)}."
        )
    if not (0 <= top <= height - trigger.shape[0] and 0 <= left <= width - trigger.shape[1]):
        raise InputError(f"The trigger at row {top}, column {left} does not lie on the image: move it onto it.")

    limits = height - trigger.shape[0], width - trigger.shape[1]

    def tell_page(moved: object) -> None:
        moves, place = _read_move(moved)
        if moves and all(0 <= at <= most for at, most in zip(place, limits, strict=True)):
            on_move(*place)

    _component.mount(
        key,
        {
            "image": to_base64(image.astype(np.uint8)),
            "trigger": to_base64(trigger.astype(np.uint8)),
            "size": [height, width],
            "triggerSize": list(trigger.shape[:2]),
            "place": [top, left],
            "moves": _read_move(sent(key, "moved"))[0],
            "side": side_px,
        },
        moved=tell_page,
    )


def _read_move(moved: object) -> tuple[int, tuple[int, int]]:
    """How often the browser has moved the trigger so far, and where to; (0, (0, 0)) unless these are whole numbers."""
    if not isinstance(moved, Mapping):
        return 0, (0, 0)
    values = [moved.get(name) for name in ("moves", "top", "left")]
    moves, top, left = (value if type(value) is int else None for value in values)
    if moves is None or top is None or left is None:
        return 0, (0, 0)
    return moves, (top, left)
