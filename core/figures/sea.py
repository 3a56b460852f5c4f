"""W over a plane as a small picture: calm dark blue, rough bright, the borders between the classes, and two images.

Needs neither torch nor Plotly. The larger one to point at is `dashboard.components.slice_view`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from core.figures.palette import CLEAN, TRIGGERED, rgb
from core.figures.w_colours import w_colours

if TYPE_CHECKING:
    from core.instruments.slices.plane import SlicePlane
    from core.instruments.slices.plane_smoothness import PlaneSmoothness


def sea_picture(plane: SlicePlane, smoothness: PlaneSmoothness, top: float, side: int = 480) -> np.ndarray:
    """Return the picture, uint8 [side, side, 3].

    Parameters
    ----------
    plane
        The predicted classes, whose borders are drawn; its point "origin" gets a blue circle, "toward" a diamond.
    smoothness
        W over it.
    top
        W at the bright end of the colours, from 0 at the dark one.
    side
        In pixels.
    """
    shares = np.clip(smoothness.w / top, 0, 1)[::-1]
    pixels = w_colours()[np.rint(255 * _enlarged(shares, side)).astype(int)].astype(np.float64)
    edge = _edge(plane.labels[::-1], 2 * side)
    line, rim = (_thick(edge, reach) for reach in (2, 4))
    for cover, shade in ((0.5 * rim, 0), (0.9 * line, 255)):
        pixels += cover[..., None] * (shade - pixels)
    picture = Image.fromarray(np.rint(pixels).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    (left, right), (bottom, top_y) = plane.x[[0, -1]], plane.y[[0, -1]]
    for name, colour in (("origin", CLEAN), ("toward", TRIGGERED)):
        x, y = plane.points[name]
        _mark(draw, name, side * (x - left) / (right - left), side * (top_y - y) / (top_y - bottom), side / 34, colour)
    return np.asarray(picture)


def _enlarged(values: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR))


def _edge(labels: np.ndarray, side: int) -> Image.Image:
    """Return where the class changes from one pixel to the next, in white on black."""
    most, winner = np.full((side, side), -1.0), np.zeros((side, side), int)
    for label in np.unique(labels):
        share = _enlarged(labels == label, side)
        ahead = share > most
        most[ahead], winner[ahead] = share[ahead], label
    edge = np.zeros(winner.shape, np.uint8)
    edge[:, 1:][winner[:, 1:] != winner[:, :-1]] = 255
    edge[1:][winner[1:] != winner[:-1]] = 255
    return Image.fromarray(edge)


def _thick(edge: Image.Image, reach: int) -> np.ndarray:
    """Return how much of each pixel a line covers that reaches so many half pixels to all sides, float [side, side]."""
    wide = np.asarray(edge.filter(ImageFilter.BoxBlur(reach))) > 0
    return np.asarray(Image.fromarray(np.uint8(255) * wide).reduce(2)) / 255


def _mark(draw: ImageDraw.ImageDraw, name: str, x: float, y: float, r: float, colour: str) -> None:
    """Draw a circle or a diamond around a point, in white and in a colour."""
    for radius, fill in ((r + r / 3, (20, 20, 20)), (r + r / 5, (255, 255, 255)), (r * 0.8, rgb(colour))):
        if name == "origin":
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill)
        else:
            wide = 1.3 * radius
            draw.polygon([(x, y - wide), (x + wide, y), (x, y + wide), (x - wide, y)], fill)
