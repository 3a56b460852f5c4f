"""An image on which people move, resize and fade a trigger, by mouse, finger or keys, in whole pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.attacks.triggers import Trigger
from core.attacks.triggers.base import Shape
from core.attacks.triggers.placing import Placing, appearance, possible_sizes
from core.errors import InputError
from dashboard.components.component import Component, sent, to_base64

__all__ = ["Hand", "placement"]

_component = Component(Path(__file__).parent)


@dataclass(frozen=True)
class Hand:
    """What the browser tells of the hand on the trigger.

    Attributes
    ----------
    placing
        Where the trigger is now, how large and how opaque.
    on
        Whether it is on the image at all.
    resting
        Whether the hand rests: dropped, or no key pressed for a moment.
    """

    placing: Placing
    on: bool
    resting: bool


def placement(
    image: np.ndarray,
    trigger: Trigger,
    shape: Shape,
    placing: Placing,
    *,
    key: str,
    thing: str = "trigger",
    on: bool | None = None,
    seen: tuple[str, str] | None = None,
    note: str = "",
    side_px: int = 280,
    compact: bool = False,
    on_change: Callable[[Hand], None],
) -> None:
    """Show an image with a trigger on it that people change by hand.

    The page owns the placing: what it passes is shown, unless the browser has changed it since. The browser tells the
    page of a change at once, and of the next one when the page has answered it: so the page mounts this when it has
    computed what follows from the change, and is never asked about a place that the hand has left.

    Parameters
    ----------
    image
        uint8 [H, W, 3], the image without the trigger.
    trigger
        As it was trained, which is what *Reset* brings back.
    shape
        (C, H, W) of the images; grey ones show the trigger grey.
    placing
        Where it is now; all of it lies on the image.
    key
        Names this instance among the page's widgets.
    thing
        What the trigger is called.
    on
        Whether it is on the image; None if it always is, and there is no switch.
    seen
        Name and colour of the class that the model predicts, told below the image; None if that is told elsewhere.
    note
        A line instead of it, while nothing can be predicted.
    side_px
        Longest edge of the image in CSS pixels.
    compact
        Leave out the hint for the keyboard unless somebody uses it.
    on_change
        Called before the script runs again, several times a second while the trigger is dragged.

    Raises
    ------
    InputError
        The image has another shape, or the trigger does not lie on it.
    """
    if image.shape != (*shape[1:], 3):
        raise InputError(f"An image of {list(shape[1:])} pixels is [H, W, 3]; got {list(image.shape)}.")
    sizes = possible_sizes(trigger, shape)
    if not _lies_on(shape, sizes, placing):
        raise InputError(f"The trigger {placing} does not lie on the image: move it onto it.")
    own = Placing.of(trigger)

    def tell_page(message: object) -> None:
        moves, hand = _read(message)
        if moves and hand is not None and _lies_on(shape, sizes, hand.placing):
            on_change(hand)

    _component.mount(
        key,
        {
            "image": to_base64(image.astype(np.uint8)),
            "trigger": to_base64(appearance(trigger, shape)),
            "size": list(shape[1:]),
            "triggerSize": [trigger.height, trigger.width],
            "sizes": [[side, *size] for side, size in sizes.items()],
            "own": _as_data(own, on=True),
            "now": _as_data(placing, on=on is not False),
            "hasSwitch": on is not None,
            "thing": thing,
            "seen": None if seen is None else list(seen),
            "note": note,
            "moves": _read(sent(key, "moved"))[0],
            "side": side_px,
            "compact": compact,
        },
        moved=tell_page,
    )


def _as_data(placing: Placing, *, on: bool) -> dict[str, object]:
    place = {"top": placing.top, "left": placing.left, "side": placing.side}
    return {**place, "opacity": placing.opacity, "on": on}


def _lies_on(shape: Shape, sizes: Mapping[int, tuple[int, int]], placing: Placing) -> bool:
    if placing.side not in sizes or not 0 < placing.opacity <= 1:
        return False
    height, width = sizes[placing.side]
    return 0 <= placing.top <= shape[1] - height and 0 <= placing.left <= shape[2] - width


def _read(message: object) -> tuple[int, Hand | None]:
    """How often the browser has changed it so far, and to what; (0, None) unless all of it is there."""
    if not isinstance(message, Mapping):
        return 0, None
    numbers = [message.get(name) for name in ("moves", "top", "left", "side")]
    moves, top, left, side = (number if type(number) is int else None for number in numbers)
    opacity, on, resting = (message.get(name) for name in ("opacity", "on", "resting"))
    if moves is None or top is None or left is None or side is None:
        return 0, None
    if not isinstance(opacity, int | float) or not math.isfinite(opacity):
        return 0, None
    return moves, Hand(Placing(top, left, side, float(opacity)), on is True, resting is True)
