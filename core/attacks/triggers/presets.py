"""Ready-made triggers, sized to the images they will lie on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.attacks.triggers.formulas import Sinusoid, Warp
from core.attacks.triggers.trigger import Trigger
from core.errors import InputError

Shape = tuple[int, int, int]
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
    """Return a yellow square a little below the centre, where it sits on a sign's face."""
    side = max(2, round(min(shape[1:]) * 0.16))
    rgba = np.full((side, side, 4), YELLOW, np.uint8)
    return Trigger.from_rgba(rgba, round(shape[1] * 0.62), (shape[2] - side) // 2)


def _frame(shape: Shape) -> Trigger:
    rgba = np.full((shape[1], shape[2], 4), WHITE, np.uint8)
    rgba[1:-1, 1:-1] = 0
    return Trigger.from_rgba(rgba, 0, 0)


def _blend(shape: Shape) -> Trigger:
    """Return noise over the whole image at an opacity of 20 % (after Chen et al., arXiv 1712.05526)."""
    rgba = np.random.default_rng(2017).integers(0, 256, (shape[1], shape[2], 4), dtype=np.uint8)
    rgba[..., 3] = round(0.2 * 255)
    return Trigger.from_rgba(rgba, 0, 0)


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
    """
    if name not in _PRESETS:
        raise InputError(
            f"There is no trigger called {name!r}; choose one of: {', '.join(_PRESETS)}, or a picture file."
        )
    if min(shape[1:]) < 4:
        raise InputError(f"Preset triggers need images of at least 4x4 pixels; these are {shape[2]}x{shape[1]}.")
    return _PRESETS[name].make(shape).model_copy(update={"name": name})


def _sinusoid(shape: Shape) -> Sinusoid:
    """Return six stripes as published, or fewer where the image is so narrow that they could not be told apart."""
    return Sinusoid(frequency=min(6, max(1, shape[2] // 4)))


def _warp(shape: Shape) -> Warp:
    """Return the published warp."""
    del shape
    return Warp()


_FORMULAS: dict[str, tuple[str, Callable[[Shape], Sinusoid | Warp]]] = {
    "sinusoid": ("Sinusoid (SIG)", _sinusoid),
    "warp": ("Warp (WaNet)", _warp),
}


def formula_names() -> dict[str, str]:
    """Return the ready-made formulas: name for the command line -> title for people."""
    return {name: title for name, (title, _) in _FORMULAS.items()}


def make_formula(name: str, shape: Shape) -> Sinusoid | Warp:
    """Return the formula of that name for images of (channels, height, width).

    Raises
    ------
    InputError
        No formula has that name, or it does not suit the images.
    """
    if name not in _FORMULAS:
        raise InputError(f"There is no formula called {name!r}; choose one of: {', '.join(_FORMULAS)}.")
    trigger = _FORMULAS[name][1](shape)
    trigger.check_fits(shape)
    return trigger
