"""The trigger that is a picture: RGBA with a place. Drawn, linked, hashed, stamped and reported as it is."""

from __future__ import annotations

import base64
import binascii
import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

MAX_SIDE = 1024
DAMAGED_LINK = (
    "The trigger in this link is damaged (perhaps the link was cut off). Copy the whole link again, or choose another "
    "trigger."
)


class Trigger(BaseModel):
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
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trigger) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.pixels) ^ hash((self.top, self.left, self.height, self.width))

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

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides what it does to an image; the name does not."""
        return self.model_dump(mode="json", exclude={"name"})

    def canvas(self, shape: tuple[int, int, int]) -> np.ndarray:
        """Return it as a whole-image RGBA picture, uint8 [H, W, 4], transparent around it."""
        self.check_fits(shape)
        canvas = np.zeros((shape[1], shape[2], 4), np.uint8)
        canvas[self.top : self.top + self.height, self.left : self.left + self.width] = self.rgba
        return canvas

    def covers(self, shape: tuple[int, int, int]) -> np.ndarray:
        """Return which pixels of such images it changes at all, bool [H, W]."""
        return self.canvas(shape)[..., 3] > 0

    def check_fits(self, shape: tuple[int, int, int]) -> None:
        """Raise InputError unless the whole picture lies on images of this (C, H, W)."""
        _, height, width = shape
        if self.top + self.height > height or self.left + self.width > width:
            raise InputError(
                f"The trigger is {self.width}x{self.height} at row {self.top}, column {self.left}, but the images are "
                f"{width}x{height}: make it smaller or move it so that all of it lies on the image."
            )

    def apply(self, images: Tensor) -> Tensor:
        """Return copies of the images with the trigger on them; the images themselves stay as they are.

        Parameters
        ----------
        images
            float [N, C, H, W] in [0, 1], or uint8 [N, C, H, W]; C is 1 or 3, on any device. On one channel the
            trigger's colours become their ITU-R BT.601 luma. uint8 results are rounded to the nearest level.

        Raises
        ------
        InputError
            The trigger does not lie wholly on the images.
        """
        import torch

        self.check_fits(tuple(images.shape[1:]))
        colour, alpha = (torch.from_numpy(layer).to(images.device) for layer in self._layers(images.shape[1]))
        stamped = images.clone()
        covered = stamped[:, :, self.top : self.top + self.height, self.left : self.left + self.width]
        if images.dtype == torch.uint8:
            covered.copy_((covered * (1 - alpha) + 255 * colour * alpha).round())
        else:
            covered.mul_((1 - alpha).to(images.dtype)).add_((colour * alpha).to(images.dtype))
        return stamped

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
        import torch

        for top, left in {(places[:, 0].min(), places[:, 1].min()), tuple(places.max(axis=0))} if len(places) else ():
            self.model_copy(update={"top": int(top), "left": int(left)}).check_fits(tuple(images.shape[1:]))
        layers = (torch.from_numpy(layer).to(images.device) for layer in self._layers(images.shape[1]))
        colour, alpha = (layer.permute(1, 2, 0) for layer in layers)  # indexing by arrays puts the channels last
        tops, lefts = torch.from_numpy(places).to(images.device).T
        rows = tops[:, None, None] + torch.arange(self.height, device=images.device)[:, None]
        columns = lefts[:, None, None] + torch.arange(self.width, device=images.device)
        here = torch.arange(len(images), device=images.device)[:, None, None], slice(None), rows, columns
        stamped = images.clone()
        covered = stamped[here]
        if images.dtype == torch.uint8:
            stamped[here] = (covered * (1 - alpha) + 255 * colour * alpha).round().to(torch.uint8)
        else:
            stamped[here] = covered * (1 - alpha).to(images.dtype) + (colour * alpha).to(images.dtype)
        return stamped

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Do what `apply` does to uint8 images [N, C, H, W] held by numpy, for pages that are up before torch is."""
        self.check_fits(images.shape[1:])
        colour, alpha = self._layers(images.shape[1])
        stamped = images.copy()
        covered = stamped[:, :, self.top : self.top + self.height, self.left : self.left + self.width]
        covered[...] = np.rint(covered * (1 - alpha) + 255 * colour * alpha)
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
