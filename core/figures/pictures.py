"""Images as pictures for people: enlarged with crisp pixels, side by side, framed in the colour of their class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.figures.palette import class_colour, rgb

if TYPE_CHECKING:
    from torch import Tensor


def to_pixels(images: Tensor | np.ndarray) -> np.ndarray:
    """Return images as uint8 [N, H, W, 3]: from uint8 or float [N, C, H, W] in [0, 1], clamped; grey becomes RGB."""
    array = np.asarray(images)
    if array.dtype != np.uint8:
        array = (np.clip(array, 0, 1) * 255).round().astype(np.uint8)
    array = array.transpose(0, 2, 3, 1)
    return np.repeat(array, 3, axis=3) if array.shape[3] == 1 else array


def enlarge(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return a picture [H, W, ...] enlarged by a whole factor to about `side` pixels; every pixel is a crisp square."""
    factor = max(1, round(side / max(pixels.shape[:2])))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def picture_row(images: Tensor | np.ndarray, side: int, gap: int = 8) -> np.ndarray:
    """Return images side by side on a transparent background, each about `side` pixels wide: uint8 [h, w, 4]."""
    tiles = [enlarge(picture, side) for picture in to_pixels(images)]
    height, width = tiles[0].shape[:2]
    row = np.zeros((height, len(tiles) * (width + gap) - gap, 4), np.uint8)
    for number, tile in enumerate(tiles):
        left = number * (width + gap)
        row[:, left : left + width, :3] = tile
        row[:, left : left + width, 3] = 255
    return row


def framed_grid(
    images: Tensor | np.ndarray, labels: Sequence[int], columns: int, side: int = 56, frame: int = 4, gap: int = 4
) -> np.ndarray:
    """Return images in rows, each framed in the colour of its class, on transparent background: uint8 [h, w, 4].

    Parameters
    ----------
    images
        [N, C, H, W], see `to_pixels`.
    labels
        N class numbers.
    columns
        Images in each row.
    side, frame, gap
        Approximate width of an image, width of the frame and of the gap, in pixels.
    """
    tiles = [
        _framed(enlarge(picture, side), label, frame) for picture, label in zip(to_pixels(images), labels, strict=True)
    ]
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    sheet = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 4), np.uint8)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        top, left = row * (height + gap), column * (width + gap)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def _framed(picture: np.ndarray, label: int, frame: int) -> np.ndarray:
    tile = np.empty((picture.shape[0] + 2 * frame, picture.shape[1] + 2 * frame, 4), np.uint8)
    tile[...] = (*rgb(class_colour(label)), 255)
    tile[frame:-frame, frame:-frame, :3] = picture
    return tile
