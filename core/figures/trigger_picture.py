"""A trigger as a small picture: its own pixels on a chequered background, or a formula applied to a neutral image."""

from __future__ import annotations

import io

import numpy as np

from core.attacks.triggers import AnyTrigger, Trigger
from core.figures.pictures import enlarge

# Greys of the background: close enough to each other to stay behind any trigger, and neither black nor white.
_DARK, _LIGHT = 128, 160
_SQUARES, _LINES = 8, 4


def trigger_png(trigger: AnyTrigger, shape: tuple[int, int, int]) -> bytes:
    """Return a trigger as a PNG file.

    It has the size of images of (C, H, W), so that it keeps its place, and is transparent where they show through. A
    formula, which has no pixels of its own, is shown as in `trigger_picture`.
    """
    from PIL import Image

    pixels = trigger.canvas(shape) if isinstance(trigger, Trigger) else trigger_picture(trigger, shape, shape[2])
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def trigger_picture(trigger: AnyTrigger, shape: tuple[int, int, int], side: int = 96) -> np.ndarray:
    """Return what a trigger looks like on images of (C, H, W): uint8 [h, w, 3], its longer side about `side` pixels.

    A picture is shown in its place on a chequered background. A formula, which changes whole images, is shown on grey
    squares, whose edges show what a warp does.
    """
    channels, height, width = shape
    rows, columns = np.indices((height, width))
    squares = max(1, max(height, width) // (_SQUARES if isinstance(trigger, Trigger) else _LINES))
    ground = np.where((rows // squares + columns // squares) % 2 == 0, _LIGHT, _DARK).astype(np.uint8)
    image = np.broadcast_to(ground, (1, channels, height, width)).copy()
    stamped = trigger.stamp(image)[0].transpose(1, 2, 0)
    if stamped.shape[2] == 1:
        stamped = stamped.repeat(3, axis=2)
    return enlarge(stamped, side)
