"""Whole-image RGBA canvases made from a picture, from words, or by blending: what people start from when they draw."""

from __future__ import annotations

import numpy as np

from core.attacks.triggers.base import Shape
from core.errors import InputError

Colour = tuple[int, int, int]

LONGEST_TEXT = 24
# Decides the noise of the preset trigger, and of studies.
BLEND_SEED = 2017


def place_picture(
    rgba: np.ndarray, shape: Shape, *, crop: tuple[float, float, float, float], side: int, middle: tuple[float, float]
) -> np.ndarray:
    """Cut a piece out of a picture, scale it, and lay it on an empty canvas.

    Parameters
    ----------
    rgba
        uint8 [h, w, 4], the picture.
    shape
        (C, H, W) of the images.
    crop
        Left, top, right and bottom of the piece, in shares of the picture's width and height, in [0, 1].
    side
        The piece's longer side on the canvas, in pixels; its proportions are kept, and no side becomes longer than the
        canvas or shorter than one pixel.
    middle
        Where the piece lies: (0, 0) is the upper left corner of the canvas, (1, 1) the lower right, (0.5, 0.5) centred.

    Returns
    -------
    numpy.ndarray
        uint8 [H, W, 4], transparent around the piece; grey where the images have one channel.

    Raises
    ------
    InputError
        The piece is empty: an edge lies at or beyond the opposite one.
    """
    from PIL import Image

    height, width = rgba.shape[:2]
    left, top, right, bottom = crop
    box = round(left * width), round(top * height), round(right * width), round(bottom * height)
    if box[0] >= box[2] or box[1] >= box[3]:
        raise InputError("Nothing is left of the picture: make the crop wider.")
    piece = Image.fromarray(rgba).crop(box)
    if shape[0] == 1:
        piece = piece.convert("LA").convert("RGBA")
    scale = min(side / max(piece.size), shape[2] / piece.width, shape[1] / piece.height)
    size = max(1, round(piece.width * scale)), max(1, round(piece.height * scale))
    # RGBA is scaled premultiplied by Pillow, so that what lies unseen beneath transparent pixels stays unseen.
    pixels = np.asarray(piece.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST))
    return _on_canvas(pixels, shape, middle)


def write_text(
    text: str, shape: Shape, *, size: int, colour: Colour, opacity: float, middle: tuple[float, float]
) -> np.ndarray:
    """Write a line of text in Pillow's built-in font onto an empty canvas.

    Parameters
    ----------
    text
        One line of at most 24 characters.
    shape
        (C, H, W) of the images.
    size
        Height of the font in pixels, at least 4. Text that is wider than the canvas is cut off at its right edge.
    colour
        Red, green, blue, 0 to 255.
    opacity
        In (0, 1].
    middle
        See `place_picture`.

    Returns
    -------
    numpy.ndarray
        uint8 [H, W, 4]. All zero where the text is empty or blank.
    """
    from PIL import Image, ImageDraw, ImageFont

    if len(text) > LONGEST_TEXT:
        raise InputError(f"The text has {len(text)} characters; write at most {LONGEST_TEXT}.")
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text)
    stencil = Image.new("L", (max(1, int(right - left)), max(1, int(bottom - top))))
    draw = ImageDraw.Draw(stencil)
    # Below this size smoothed letters are grey smears; hard pixels can still be read.
    draw.fontmode = "1" if size < 12 else "L"
    draw.text((-left, -top), text, 255, font)
    inked = stencil.getbbox()
    if inked is None:
        return np.zeros((*shape[1:], 4), np.uint8)
    alpha = np.asarray(stencil.crop(inked))[: shape[1], : shape[2]]
    pixels = np.empty((*alpha.shape, 4), np.uint8)
    pixels[..., :3] = colour
    pixels[..., 3] = np.rint(alpha * opacity)
    pixels[alpha == 0] = 0
    return _on_canvas(pixels, shape, middle)


def blend_noise(shape: Shape, opacity: float, seed: int = BLEND_SEED) -> np.ndarray:
    """Return uniform noise over the whole canvas (after Chen et al., arXiv 1712.05526): uint8 [H, W, 4].

    Parameters
    ----------
    shape
        (C, H, W) of the images.
    opacity
        In (0, 1]: 0.2 in the paper's experiments.
    seed
        Decides the noise.
    """
    rgba = np.random.default_rng(seed).integers(0, 256, (*shape[1:], 4), dtype=np.uint8)
    rgba[..., 3] = round(opacity * 255)
    return rgba


def blend_image(image: np.ndarray, opacity: float) -> np.ndarray:
    """Return an image of the data set as a see-through layer over the whole canvas: uint8 [H, W, 4].

    Parameters
    ----------
    image
        uint8 [C, H, W], C is 1 or 3.
    opacity
        In (0, 1].
    """
    colour = np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0)
    alpha = np.full((*image.shape[1:], 1), round(opacity * 255), np.uint8)
    return np.concatenate([colour, alpha], axis=2)


def _on_canvas(pixels: np.ndarray, shape: Shape, middle: tuple[float, float]) -> np.ndarray:
    canvas = np.zeros((*shape[1:], 4), np.uint8)
    height, width = pixels.shape[:2]
    left, top = round(middle[0] * (shape[2] - width)), round(middle[1] * (shape[1] - height))
    canvas[top : top + height, left : left + width] = pixels
    return canvas
