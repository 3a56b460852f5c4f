"""Where on an image a picture trigger lies, how large and how opaque it is: a changed copy is again a trigger."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.attacks.triggers.base import Shape
from core.attacks.triggers.trigger import Trigger
from core.errors import InputError


@dataclass(frozen=True)
class Placing:
    """What people change of a trigger by hand.

    Attributes
    ----------
    top, left
        Row and column of the image on which the picture's upper left pixel lies.
    side
        Longer edge of the picture in pixels.
    opacity
        What each pixel's alpha is multiplied by, in (0, 1].
    """

    top: int
    left: int
    side: int
    opacity: float = 1.0

    @classmethod
    def of(cls, trigger: Trigger) -> Placing:
        """Return that of a trigger as it is."""
        return cls(trigger.top, trigger.left, max(trigger.height, trigger.width))


def placed(trigger: Trigger, shape: Shape, placing: Placing) -> Trigger:
    """Return the trigger at this size and opacity, as near to this place as all of it lies on images of this shape.

    InputError where `resized` or `faded` refuse.
    """
    return moved(faded(resized(trigger, shape, placing.side), placing.opacity), shape, placing.top, placing.left)


def can_be_moved(trigger: object, shape: Shape) -> bool:
    """Say whether there is another place on such images for this trigger."""
    return isinstance(trigger, Trigger) and (trigger.height, trigger.width) != shape[1:]


def moved(trigger: Trigger, shape: Shape, top: int, left: int) -> Trigger:
    """Return the trigger with its upper left corner there, or as near to there as all of it lies on the image."""
    top, left = _inside(top, trigger.height, shape[1]), _inside(left, trigger.width, shape[2])
    return trigger.model_copy(update={"top": top, "left": left})


def faded(trigger: Trigger, opacity: float) -> Trigger:
    """Return the trigger with each pixel's alpha multiplied by `opacity`, in (0, 1]; no pixel that it has vanishes."""
    if not 0 < opacity <= 1:
        raise InputError(f"An opacity lies above 0 and is at most 1; got {opacity:g}. At 0 there is no trigger.")
    rgba = trigger.rgba.copy()
    alpha = rgba[..., 3]
    rgba[..., 3] = np.where(alpha > 0, np.maximum(np.rint(alpha * opacity), 1), 0)
    return Trigger.from_rgba(rgba, trigger.top, trigger.left, trigger.name)


def resized(trigger: Trigger, shape: Shape, side: int) -> Trigger:
    """Return the trigger enlarged or reduced about its centre until its longer edge has `side` pixels.

    Each pixel is that of the old picture which lies nearest to it; the new one is moved where it would leave the image.
    """
    longer = max(trigger.height, trigger.width)
    height, width = (max(1, round(edge * side / longer)) for edge in (trigger.height, trigger.width))
    if side < 1 or height > shape[1] or width > shape[2]:
        raise InputError(
            f"A trigger of {width}x{height} pixels does not fit images of {shape[2]}x{shape[1]}: choose a size from 1 "
            f"to {largest_side(trigger, shape)}."
        )
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in ((height, trigger.height), (width, trigger.width))
    )
    picture = trigger.rgba[np.ix_(rows, columns)]
    if not picture[..., 3].any():
        raise InputError("At this size nothing of the trigger would be left; choose a larger one.")
    top = _inside(round(trigger.top + (trigger.height - height) / 2), height, shape[1])
    left = _inside(round(trigger.left + (trigger.width - width) / 2), width, shape[2])
    return Trigger.from_rgba(picture, top, left, trigger.name)


def largest_side(trigger: Trigger, shape: Shape) -> int:
    """Return the largest size that `resized` takes."""
    longer = max(trigger.height, trigger.width)
    room = min(shape[1] * longer / trigger.height, shape[2] * longer / trigger.width)
    return max(longer, int(room + 1e-9))


def possible_sizes(trigger: Trigger, shape: Shape) -> dict[int, tuple[int, int]]:
    """Return height and width of the trigger by every size that `resized` takes, ascending."""
    sizes = {}
    for side in range(1, largest_side(trigger, shape) + 1):
        try:
            smaller = resized(trigger, shape, side)
        except InputError:  # nothing of it would be left
            continue
        sizes[side] = smaller.height, smaller.width
    return sizes


def appearance(trigger: Trigger, shape: Shape) -> np.ndarray:
    """Return the trigger's picture as it looks on such images, uint8 [h, w, 4]: grey on one channel."""
    rgba = trigger.rgba.copy()
    alpha = rgba[..., 3].copy()
    rgba[..., 3] = 255
    opaque = Trigger.from_rgba(rgba, trigger.top, trigger.left)
    stamped = opaque.stamp(np.zeros((1, *shape), np.uint8))[0].transpose(1, 2, 0)
    picture = stamped[trigger.top : trigger.top + trigger.height, trigger.left : trigger.left + trigger.width]
    return np.dstack([np.broadcast_to(picture, (*picture.shape[:2], 3)), alpha])


def _inside(start: int, length: int, room: int) -> int:
    return min(max(int(start), 0), room - length)
