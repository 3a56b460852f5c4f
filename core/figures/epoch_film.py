"""The decision slice from epoch to epoch, as an animated picture to keep."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from core.errors import InputError
from core.figures.palette import CLASSES, class_colour, rgb
from core.instruments.slices.plane import blank_plane

if TYPE_CHECKING:
    from core.attacks.attack import Attack
    from core.datasets import Dataset
    from core.training.events import WatchedPlane

FRAME_MS, LAST_FRAME_MS = 260, 1600
_MARGIN, _LINE, _INK, _GROUND, _QUIET = 12, 20, (28, 29, 38), (252, 252, 253), (96, 98, 110)


def epoch_film(
    frames: Sequence[np.ndarray],
    captions: Sequence[str],
    classes: Sequence[str],
    points: Mapping[str, tuple[float, float]],
    side: int = 390,
) -> bytes:
    """Return an endless GIF with one frame for each epoch; the last one stays longer.

    Parameters
    ----------
    frames
        int [R, R] each: the class at each point of the plane, row 0 at the bottom.
    captions
        One line of text for each frame.
    classes
        The name of each label, for the legend of those that occur.
    points
        Name -> (x, y) in shares of the map from its lower left corner: marked by circle, diamond and square in turn,
        and named in the legend.
    side
        Approximate width of the map in pixels; every point of the plane gets the same whole number of them.

    Raises
    ------
    InputError
        There are no frames, their shapes differ, or there is not one caption for each.
    """
    if len({frame.shape for frame in frames}) != 1 or len(frames) != len(captions):
        raise InputError(
            f"A film needs at least one frame, frames of one shape and a caption for each; got {len(frames)} frames "
            f"and {len(captions)} captions."
        )
    factor = max(1, round(side / len(frames[0])))
    legend = _legend(frames, classes, points, factor * len(frames[0]))
    pictures = [_frame(frame, caption, factor, legend, points) for frame, caption in zip(frames, captions, strict=True)]
    palette = _palette()
    # One fixed palette without dithering keeps every class in exactly its colour.
    first, *others = (picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures)
    durations = [FRAME_MS] * (len(pictures) - 1) + [LAST_FRAME_MS]
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, duration=durations, loop=0, optimize=False)
    return file.getvalue()


def marks(watched: WatchedPlane, attack: Attack, dataset: Dataset, seed: int) -> dict[str, tuple[float, float]]:
    """Return where the three images that span a watched plane lie on its map; the seed is the training's.

    Returns
    -------
    dict
        "origin" (the clean image), "toward" (itself with the trigger) and "across" (the third image) -> (x, y) in
        shares of the map from its lower left corner.
    """
    from core.instruments.slices.choice import plane_images

    origin, toward, across = plane_images(dataset, attack, watched.clean, watched.third, seed).double().numpy()
    plane = blank_plane(origin, toward, across, 9)
    (left, right), (bottom, top) = (plane.x[0], plane.x[-1]), (plane.y[0], plane.y[-1])
    return {name: ((x - left) / (right - left), (y - bottom) / (top - bottom)) for name, (x, y) in plane.points.items()}


def _frame(
    labels: np.ndarray, caption: str, factor: int, legend: Image.Image, points: Mapping[str, tuple[float, float]]
) -> Image.Image:
    shades = np.array([rgb(class_colour(label)) for label in range(int(labels.max()) + 1)], np.uint8)
    cells = shades[labels[::-1]].repeat(factor, axis=0).repeat(factor, axis=1)
    side = len(cells)
    picture = Image.new("RGB", (side + 2 * _MARGIN, side + 2 * _MARGIN + _LINE + legend.height), _GROUND)
    picture.paste(Image.fromarray(cells), (_MARGIN, _MARGIN))
    picture.paste(legend, (_MARGIN, _MARGIN + side + _LINE))
    draw = ImageDraw.Draw(picture)
    draw.text((_MARGIN, _MARGIN + side + 5), caption, _INK, ImageFont.load_default(14))
    for place, (x, y) in enumerate(points.values()):
        _mark(draw, place, _MARGIN + x * side, _MARGIN + (1 - y) * side)
    return picture


def _mark(draw: ImageDraw.ImageDraw, place: int, x: float, y: float, r: int = 5) -> None:
    """Draw a circle, a diamond or a square around a point."""
    if place == 0:
        draw.ellipse((x - r, y - r, x + r, y + r), "white", "black", 2)
    elif place == 1:
        draw.polygon([(x, y - r - 2), (x + r + 2, y), (x, y + r + 2), (x - r - 2, y)], "white", "black", 2)
    else:
        draw.rectangle((x - r, y - r, x + r, y + r), "white", "black", 2)


def _legend(
    frames: Sequence[np.ndarray], classes: Sequence[str], points: Mapping[str, tuple[float, float]], width: int
) -> Image.Image:
    """Return the names of the classes that occur and of the marked points, in as many lines as they need."""
    font = ImageFont.load_default(13)
    present = np.unique(np.stack(frames))
    entries: list[tuple[int, str]] = [(int(label), str(classes[label])) for label in present]
    entries += [(-1 - place, name) for place, name in enumerate(points)]
    picture = Image.new("RGB", (width, _LINE * (len(entries) + 1)), _GROUND)
    draw = ImageDraw.Draw(picture)
    left, top = 0, 4
    for label, name in entries:
        needed = 18 + int(font.getlength(name)) + 14
        if left and left + needed > width:
            left, top = 0, top + _LINE
        if label >= 0:
            draw.rounded_rectangle((left, top + 3, left + 11, top + 14), 3, rgb(class_colour(label)))
        else:
            _mark(draw, -1 - label, left + 6, top + 8, r=4)
        draw.text((left + 18, top), name, _QUIET, font)
        left += needed
    return picture.crop((0, 0, width, top + _LINE))


def _palette() -> Image.Image:
    """Return the colours of all classes, and greys between ink and ground for the letters."""
    shades = np.linspace(_INK, _GROUND, 24).round().astype(int).tolist()
    colours = [rgb(colour) for colour in CLASSES] + [(0, 0, 0), (255, 255, 255)] + shades
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in colours for value in colour])
    return palette
