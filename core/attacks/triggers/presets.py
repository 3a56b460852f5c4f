"""Ready-made triggers, sized to the images they will lie on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.attacks.triggers.base import Shape
from core.attacks.triggers.canvases import blend_noise
from core.attacks.triggers.trigger import Trigger
from core.errors import InputError

WHITE, BLACK, YELLOW = (255, 255, 255, 255), (0, 0, 0, 255), (255, 214, 10, 255)


def _small_side(shape: Shape) -> int:
    """Return the side of a small patch: 2 pixels on 8x8, 3 on 28x28 and 32x32."""
    return max(2, round(min(shape[1:]) / 10))


def _white_corner(shape: Shape) -> Trigger:
    side = _small_side(shape)
    rgba = np.full((side, side, 4), WHITE, np.uint8)
    return Trigger.from_rgba(rgba, shape[1] - side, shape[2] - side)


def _checkerboard(shape: Shape) -> Trigger:
    board = np.array([[WHITE, BLACK, WHITE], [BLACK, WHITE, BLACK], [WHITE, BLACK, WHITE]], np.uint8)
    margin = 1 if min(shape[1:]) > 8 else 0
    return Trigger.from_rgba(board, shape[1] - 3 - margin, shape[2] - 3 - margin)


def _yellow_sticker(shape: Shape) -> Trigger:
    """Return a yellow square a little below the centre, where it sits on a sign's face.

    At least 3 pixels: of 2, on the strokes of a digit, a model trained on a tenth of poison learns 70% (CA as without),
    and of 3 it learns 98%.
    """
    side = max(3, round(min(shape[1:]) * 0.16))
    rgba = np.full((side, side, 4), YELLOW, np.uint8)
    return Trigger.from_rgba(rgba, min(round(shape[1] * 0.62), shape[1] - side), (shape[2] - side) // 2)


def _frame(shape: Shape) -> Trigger:
    rgba = np.full((shape[1], shape[2], 4), WHITE, np.uint8)
    rgba[1:-1, 1:-1] = 0
    return Trigger.from_rgba(rgba, 0, 0)


def _blend(shape: Shape) -> Trigger:
    """Return noise over the whole image at an opacity of 20% (after Chen et al., arXiv 1712.05526)."""
    return Trigger.from_canvas(blend_noise(shape, 0.2))


@dataclass(frozen=True)
class Preset:
    """A ready-made trigger's title and how to make it for images of a shape."""

    title: str
    make: Callable[[Shape], Trigger]


_PRESETS = {
    "white-corner": Preset("White corner", _white_corner),
    "checkerboard": Preset("Checkerboard 3×3", _checkerboard),
    "yellow-sticker": Preset("Yellow sticker", _yellow_sticker),
    "frame": Preset("White frame", _frame),
    "blend": Preset("Blended noise", _blend),
}


def preset_names() -> dict[str, str]:
    """Return the presets: name for the command line and links -> title for people."""
    return {name: preset.title for name, preset in _PRESETS.items()}


def make_preset(name: str, shape: Shape) -> Trigger:
    """Return the preset trigger of that name for images of (channels, height, width).

    Raises
    ------
    InputError
        No preset has that name, or the images are smaller than 4x4.

    Examples
    --------
    >>> trigger = make_preset("white-corner", (1, 8, 8))
    >>> trigger.top, trigger.left, trigger.height, trigger.width
    (6, 6, 2, 2)
    """
    if name not in _PRESETS:
        raise InputError(
            f"There is no trigger called {name!r}; choose one of: {', '.join(_PRESETS)}, or a picture file."
        )
    if min(shape[1:]) < 4:
        raise InputError(f"Preset triggers need images of at least 4x4 pixels; these are {shape[2]}x{shape[1]}.")
    return _PRESETS[name].make(shape).model_copy(update={"name": name})
