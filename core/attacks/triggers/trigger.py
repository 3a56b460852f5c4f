"""The trigger that is a picture: RGBA with a place. Drawn, linked, hashed, stamped and reported as it is."""

from __future__ import annotations

import base64
import binascii
import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from core.attacks.triggers.base import MAX_SIDE, BaseTrigger, Shape, change_pixels, on_tensor
from core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

DAMAGED_LINK = (
    "The trigger in this link is damaged (perhaps the link was cut off). Copy the whole link again, or choose another "
    "trigger."
)


class Trigger(BaseTrigger, frozen=True):
    """A picture of straight (not premultiplied) RGBA pixels and the place of its upper left corner on an image.

    Alpha is alpha: 255 replaces the image's pixel, 0 leaves it, between the two they mix linearly.

    Attributes
    ----------
    height, width
        Size of the picture in pixels.
    top, left
        Row and column of the image on which the picture's upper left pixel lies.
    pixels
        The picture's bytes, row by row, four a pixel, as base64. Use `rgba` to read and `from_rgba` to make them.
    name
        What people call it. No part of its identity: equal pixels at the same place are the same trigger.

    Examples
    --------
    >>> import numpy as np
    >>> white = np.full((2, 2, 4), 255, np.uint8)
    >>> trigger = Trigger.from_rgba(white, top=6, left=6)
    >>> trigger.covers((1, 8, 8)).sum()
    np.int64(4)
    """

    kind: Literal["picture"] = "picture"
    height: int = Field(gt=0, le=MAX_SIDE)
    width: int = Field(gt=0, le=MAX_SIDE)
    top: int = Field(ge=0)
    left: int = Field(ge=0)
    pixels: str
    name: str = "drawn"

    @field_validator("pixels")
    @classmethod
    def _is_base64(cls, value: str) -> str:
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("the trigger's pixels are not base64") from None
        return value

    @model_validator(mode="after")
    def _has_all_pixels(self) -> Trigger:
        found, expected = len(base64.b64decode(self.pixels)), self.height * self.width * 4
        if found != expected:
            raise ValueError(
                f"a {self.width}x{self.height} trigger needs {expected} bytes of pixels, {found} were given"
            )
        return self

    @classmethod
    def from_rgba(cls, rgba: np.ndarray, top: int, left: int, name: str = "drawn") -> Trigger:
        """Return the trigger with these pixels at this place.

        Parameters
        ----------
        rgba
            uint8 [h, w, 4], straight alpha.
        top, left
            Where its upper left pixel lies on an image; both at least 0.
        name
            What to call it.

        Raises
        ------
        InputError
            The array has another type or shape, is too large, or shows nothing at all.
        """
        rgba = np.ascontiguousarray(rgba)
        if rgba.dtype != np.uint8 or rgba.ndim != 3 or rgba.shape[2] != 4 or 0 in rgba.shape:
            raise InputError(
                f"A trigger is a uint8 array [height, width, 4]; this one is {rgba.dtype} {list(rgba.shape)}. "
                "Convert the picture to RGBA first."
            )
        height, width = rgba.shape[:2]
        if max(height, width) > MAX_SIDE:
            raise InputError(
                f"A trigger may be {MAX_SIDE} pixels a side; this one is {width}x{height}. Make it smaller."
            )
        if top < 0 or left < 0:
            raise InputError(f"A trigger's place starts at row 0, column 0; got row {top}, column {left}.")
        if not rgba[..., 3].any():
            raise InputError("This trigger is fully transparent, so it would change nothing. Draw at least one pixel.")
        return cls(
            height=height,
            width=width,
            top=int(top),
            left=int(left),
            name=name,
            pixels=base64.b64encode(rgba.tobytes()).decode(),
        )

    @classmethod
    def from_canvas(cls, canvas: np.ndarray, name: str = "drawn") -> Trigger:
        """Return the trigger drawn on a whole-image RGBA canvas, uint8 [H, W, 4]: cropped to what was drawn."""
        rows, columns = np.nonzero(canvas[..., 3].any(axis=1))[0], np.nonzero(canvas[..., 3].any(axis=0))[0]
        if not len(rows):
            raise InputError("The canvas is empty. Draw at least one pixel, or choose a preset.")
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        return cls.from_rgba(canvas[top:bottom, left:right], int(top), int(left), name)

    @cached_property
    def rgba(self) -> np.ndarray:
        """The picture, uint8 [h, w, 4], read only."""
        return np.frombuffer(base64.b64decode(self.pixels), np.uint8).reshape(self.height, self.width, 4)

    def canvas(self, shape: Shape) -> np.ndarray:
        """Return it as a whole-image RGBA picture, uint8 [H, W, 4], transparent around it."""
        self.check_fits(shape)
        canvas = np.zeros((shape[1], shape[2], 4), np.uint8)
        canvas[self.top : self.top + self.height, self.left : self.left + self.width] = self.rgba
        return canvas

    def stronger(self) -> Trigger | None:
        """Return the same picture at twice its opacity; None where every pixel that it has is opaque."""
        alpha = self.rgba[..., 3]
        if alpha[alpha > 0].min() == 255:
            return None
        rgba = self.rgba.copy()
        rgba[..., 3] = np.minimum(2 * alpha.astype(int), 255)
        return Trigger.from_rgba(rgba, self.top, self.left, self.name)

    def covers(self, shape: Shape) -> np.ndarray:
        """Return which pixels of such images it changes at all, bool [H, W]."""
        return self.canvas(shape)[..., 3] > 0

    def suits(self, shape: Shape) -> str | None:
        """Return None if the whole picture lies on images of this (C, H, W), else a sentence."""
        _, height, width = shape
        if self.top + self.height <= height and self.left + self.width <= width:
            return None
        return (
            f"The trigger is {self.width}x{self.height} at row {self.top}, column {self.left}, but the images are "
            f"{width}x{height}: make it smaller or move it so that all of it lies on the image."
        )

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Return copies of the images with the trigger on them; see `BaseTrigger.stamp`.

        On one channel the trigger's colours become their ITU-R BT.601 luma.
        """
        self.check_fits(images.shape[1:])
        rows, columns = slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)
        return self._laid_on(images, (slice(None), slice(None), rows, columns))

    def apply_at(self, images: Tensor, places: np.ndarray) -> Tensor:
        """Return copies of the images with the trigger on each at its own place; otherwise as `apply`.

        Parameters
        ----------
        images
            As for `apply`, [N, C, H, W].
        places
            int [N, 2], row and column of the trigger's upper left pixel on each image.

        Raises
        ------
        InputError
            The trigger does not lie wholly on some image.
        """
        for top, left in {(places[:, 0].min(), places[:, 1].min()), tuple(places.max(axis=0))} if len(places) else ():
            self.model_copy(update={"top": int(top), "left": int(left)}).check_fits(tuple(images.shape[1:]))
        # Four index arrays, [N, 1, 1, 1], [C, 1, 1], [N, 1, h, 1] and [N, 1, 1, w], meet in [N, C, h, w].
        numbers, channels = (np.arange(count) for count in images.shape[:2])
        rows = places[:, 0, None, None, None] + np.arange(self.height)[:, None]
        columns = places[:, 1, None, None, None] + np.arange(self.width)
        covered = numbers[:, None, None, None], channels[:, None, None], rows, columns
        return on_tensor(images, lambda pixels: self._laid_on(pixels, covered))

    def _laid_on(self, images: np.ndarray, covered: tuple[slice | np.ndarray, ...]) -> np.ndarray:
        """Return copies of images whose covered pixels, [N, C, h, w], are mixed with the picture."""
        colour, alpha = self._layers(images.shape[1])
        stamped = images.copy()
        stamped[covered] = change_pixels(
            images[covered], lambda pixels, white: pixels * (1 - alpha) + white * colour * alpha
        )
        return stamped

    def _layers(self, channels: int) -> tuple[np.ndarray, np.ndarray]:
        """Return colour [channels, h, w] and alpha [1, h, w], both float32 in [0, 1]."""
        picture = self.rgba.transpose(2, 0, 1).astype(np.float32) / 255
        colour, alpha = picture[:3], picture[3:]
        if channels == 1:
            # Whole-number weights over one divisor keep white exactly 1: an opaque white pixel is replaced exactly.
            weights = np.array([299, 587, 114], np.float32).reshape(3, 1, 1)
            colour = (colour * weights).sum(0, keepdims=True) / np.float32(1000)
        return colour, alpha

    def to_link(self) -> str:
        """Return it as a short text for a URL: place, size and zlib-packed pixels as base64url."""
        head = f"{self.top}.{self.left}.{self.height}.{self.width}."
        return head + base64.urlsafe_b64encode(zlib.compress(self.rgba.tobytes(), 9)).decode().rstrip("=")

    @classmethod
    def from_link(cls, text: str, name: str = "drawn") -> Trigger:
        """Return the trigger that `to_link` wrote; InputError if the text is not whole."""
        try:
            top, left, height, width, packed = text.split(".")
            size = int(height) * int(width) * 4
            if not 0 < size <= MAX_SIDE * MAX_SIDE * 4:
                raise ValueError
            data = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
            unpacker = zlib.decompressobj()
            raw = unpacker.decompress(data, size + 1)  # never more than the size says: a link is not trusted
            rgba = np.frombuffer(raw, np.uint8).reshape(int(height), int(width), 4)
            return cls.from_rgba(rgba, int(top), int(left), name)
        except InputError:
            raise
        except (ValueError, binascii.Error, zlib.error):
            raise InputError(DAMAGED_LINK) from None
