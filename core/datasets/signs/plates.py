"""The sign plates themselves, drawn as flat vector graphics from straight ahead.

A plate fits the square [-1, 1]^2, x to the right and y down; its picture shows a little more. Letters,
digits and arrows are strokes of our own, so that no font of the system decides what a data set looks like.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from PIL import Image, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]

PLATE_SIZE = 128
REACH = 1.1  # the picture shows [-REACH, REACH]^2: a margin, so that resampling finds no edge
_OVERSAMPLING = 4

_RED: Colour = (194, 22, 36)
_BLUE: Colour = (20, 84, 168)
_YELLOW: Colour = (247, 194, 18)
_WHITE: Colour = (246, 246, 242)
_BLACK: Colour = (22, 22, 24)


class Plate(NamedTuple):
    """A plate as it leaves the factory.

    Attributes
    ----------
    face
        RGB picture of `PLATE_SIZE` squared. Its colours run on beyond the outline, so that resampling draws no halo.
    outline
        Coverage of the plate, mode L, same size.
    """

    face: Image.Image
    outline: Image.Image


class _Drawing:
    """Filled shapes and thick strokes in plate coordinates, antialiased by drawing large."""

    def __init__(self, mode: str, ground: Colour | int) -> None:
        side = PLATE_SIZE * _OVERSAMPLING
        self._unit = side / 2 / REACH
        self._image = Image.new(mode, (side, side), ground)
        self._draw = ImageDraw.Draw(self._image)

    def _pixels(self, points: Iterable[Point]) -> list[Point]:
        return [((x + REACH) * self._unit, (y + REACH) * self._unit) for x, y in points]

    def polygon(self, points: Iterable[Point], fill: Colour | int) -> None:
        self._draw.polygon(self._pixels(points), fill=fill)

    def disc(self, centre: Point, radius: float, fill: Colour | int) -> None:
        x, y = centre
        self._draw.ellipse(self._pixels([(x - radius, y - radius), (x + radius, y + radius)]), fill=fill)

    def stroke(self, points: Iterable[Point], width: float, fill: Colour | int) -> None:
        pixels = self._pixels(points)
        self._draw.line(pixels, fill=fill, width=round(width * self._unit), joint="curve")

    def finished(self) -> Image.Image:
        return self._image.reduce(_OVERSAMPLING)


def _regular(corners: int, radius: float, first_degrees: float) -> list[Point]:
    """Corners of a regular polygon; 0 degrees points right and the angle grows clockwise."""
    return _arc((0, 0), radius, radius, first_degrees, first_degrees + 360, steps=corners)[:-1]


def _arc(centre: Point, rx: float, ry: float, start: float, end: float, *, steps: int = 24) -> list[Point]:
    """Points along an ellipse from `start` to `end` degrees, both included."""
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(centre[0] + rx * math.cos(angle), centre[1] + ry * math.sin(angle)) for angle in angles]


# Each glyph: strokes in a box one wide and two high, its origin at the box's centre.
_GLYPHS: dict[str, list[list[Point]]] = {
    "S": [[*_arc((0, -0.48), 0.44, 0.44, -20, -270, steps=16), *_arc((0, 0.44), 0.46, 0.48, -90, 160, steps=16)]],
    "T": [[(-0.56, -0.9), (0.56, -0.9)], [(0, -0.9), (0, 1.08)]],
    "O": [_arc((0, 0), 0.46, 0.92, -100, 270, steps=48)],
    "P": [
        [(-0.4, 1.08), (-0.4, -0.9), *_arc((0.0, -0.4), 0.46, 0.5, -90, 90, steps=16), (-0.4, 0.1)],
    ],
    "3": [
        [*_arc((-0.04, -0.46), 0.42, 0.44, -165, 90, steps=20), (-0.16, -0.02)],
        [(-0.16, -0.02), *_arc((-0.04, 0.44), 0.46, 0.47, -90, 165, steps=20)],
    ],
    "8": [_arc((0, -0.46), 0.4, 0.44, -100, 270, steps=32), _arc((0, 0.44), 0.46, 0.48, -100, 270, steps=32)],
    "0": [_arc((0, 0), 0.44, 0.92, -100, 270, steps=48)],
}


def _write(drawing: _Drawing, text: str, *, height: float, advance: float, width: float, fill: Colour) -> None:
    """Write `text` around the origin; `height` of a glyph, `advance` from glyph to glyph, `width` of the stroke."""
    scale = height / 2
    for position, letter in enumerate(text):
        centre_x = (position - (len(text) - 1) / 2) * advance
        for stroke in _GLYPHS[letter]:
            drawing.stroke([(centre_x + scale * x, scale * y) for x, y in stroke], width, fill)


def _arrow_head(tip: Point, degrees: float, length: float, half_width: float) -> list[Point]:
    """A triangle whose tip points along `degrees` (0 right, 90 down)."""
    dx, dy = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    base = (tip[0] - length * dx, tip[1] - length * dy)
    side = (-half_width * dy, half_width * dx)
    return [tip, (base[0] + side[0], base[1] + side[1]), (base[0] - side[0], base[1] - side[1])]


_OCTAGON = _regular(8, 1.0, 22.5)
_SQUARE: list[Point] = [(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)]
_DIAMOND: list[Point] = [(0, -0.98), (0.98, 0), (0, 0.98), (-0.98, 0)]
_DISC = _arc((0, 0), 0.95, 0.95, 0, 360, steps=90)
_POINT_UP: list[Point] = [(0, -0.88), (1.0, 0.84), (-1.0, 0.84)]
_POINT_DOWN: list[Point] = [(x, -y) for x, y in _POINT_UP]


def _scaled(points: list[Point], factor: float) -> list[Point]:
    """The outline drawn in towards its centre of mass, so that a triangle's border is even."""
    cx = sum(x for x, _ in points) / len(points)
    cy = sum(y for _, y in points) / len(points)
    return [(cx + factor * (x - cx), cy + factor * (y - cy)) for x, y in points]


def _stop(drawing: _Drawing) -> None:
    drawing.polygon(_scaled(_OCTAGON, 0.91), _RED)
    _write(drawing, "STOP", height=0.62, advance=0.395, width=0.115, fill=_WHITE)


def _yield(drawing: _Drawing) -> None:
    drawing.polygon(_scaled(_POINT_DOWN, 0.97), _RED)
    drawing.polygon(_scaled(_POINT_DOWN, 0.56), _WHITE)


def _no_entry(drawing: _Drawing) -> None:
    drawing.disc((0, 0), 0.9, _RED)
    drawing.polygon([(-0.68, -0.17), (0.68, -0.17), (0.68, 0.17), (-0.68, 0.17)], _WHITE)


def _speed_limit(number: str, drawing: _Drawing) -> None:
    drawing.disc((0, 0), 0.92, _RED)
    drawing.disc((0, 0), 0.7, _WHITE)
    _write(drawing, number, height=0.72, advance=0.53, width=0.15, fill=_BLACK)


def _priority_road(drawing: _Drawing) -> None:
    drawing.polygon(_scaled(_DIAMOND, 0.94), _WHITE)
    drawing.polygon(_scaled(_DIAMOND, 0.62), _YELLOW)


def _turn_right(drawing: _Drawing) -> None:
    drawing.disc((0, 0), 0.89, _BLUE)
    bend = _arc((0.02, 0.02), 0.3, 0.3, 180, 270, steps=12)
    drawing.stroke([(-0.28, 0.62), *bend, (0.22, -0.28)], 0.24, _WHITE)
    drawing.polygon(_arrow_head((0.68, -0.28), 0, 0.5, 0.36), _WHITE)


def _roundabout(drawing: _Drawing) -> None:
    drawing.disc((0, 0), 0.89, _BLUE)
    for neck in (-60, 60, 180):  # anticlockwise, as traffic flows where one drives on the right
        drawing.stroke(_arc((0, 0), 0.52, 0.52, neck + 66, neck, steps=16), 0.2, _WHITE)
        tip = _arc((0, 0), 0.5, 0.5, neck, neck - 42, steps=1)[1]
        drawing.polygon(_arrow_head(tip, neck - 114, 0.38, 0.25), _WHITE)


def _pedestrian_crossing(drawing: _Drawing) -> None:
    drawing.polygon(_scaled(_SQUARE, 0.94), _BLUE)
    drawing.polygon([(0, -0.74), (0.74, 0.62), (-0.74, 0.62)], _WHITE)
    drawing.disc((0.03, -0.3), 0.11, _BLACK)
    drawing.stroke([(0.0, -0.16), (-0.03, 0.14)], 0.2, _BLACK)
    drawing.stroke([(-0.24, 0.1), (0.0, -0.1), (0.22, 0.12)], 0.08, _BLACK)
    drawing.stroke([(-0.28, 0.52), (-0.03, 0.12), (0.26, 0.52)], 0.11, _BLACK)


def _danger(drawing: _Drawing) -> None:
    drawing.polygon(_scaled(_POINT_UP, 0.97), _RED)
    drawing.polygon(_scaled(_POINT_UP, 0.6), _WHITE)
    drawing.polygon([(-0.13, -0.26), (0.13, -0.26), (0.07, 0.3), (-0.07, 0.3)], _BLACK)
    drawing.disc((0, 0.47), 0.11, _BLACK)


class _Design(NamedTuple):
    outline: list[Point]
    rim: Colour
    paint: Callable[[_Drawing], None]


_DESIGNS: dict[str, _Design] = {
    "stop": _Design(_OCTAGON, _WHITE, _stop),
    "yield": _Design(_POINT_DOWN, _WHITE, _yield),
    "no entry": _Design(_DISC, _WHITE, _no_entry),
    "speed limit 30": _Design(_DISC, _WHITE, functools.partial(_speed_limit, "30")),
    "speed limit 80": _Design(_DISC, _WHITE, functools.partial(_speed_limit, "80")),
    "priority road": _Design(_DIAMOND, _BLACK, _priority_road),
    "turn right": _Design(_DISC, _WHITE, _turn_right),
    "roundabout": _Design(_DISC, _WHITE, _roundabout),
    "pedestrian crossing": _Design(_SQUARE, _WHITE, _pedestrian_crossing),
    "danger": _Design(_POINT_UP, _WHITE, _danger),
}


@functools.cache
def plate(sign: str) -> Plate:
    """Draw the plate of the class named `sign`."""
    design = _DESIGNS[sign]
    face = _Drawing("RGB", design.rim)
    design.paint(face)
    outline = _Drawing("L", 0)
    outline.polygon(design.outline, 255)
    return Plate(face.finished(), outline.finished())
