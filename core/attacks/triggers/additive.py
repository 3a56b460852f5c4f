"""A signed pattern of the whole image, added and cut: adversarial, universal and crafted perturbations."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from core.attacks.triggers.base import MAX_SIDE, Shape
from core.attacks.triggers.formula import Added
from core.errors import InputError

# A pattern is stored in whole steps: 128 of them are one of the 255 levels of a pixel.
STEPS = 255 * 128


class Additive(Added, frozen=True):
    """A signed pattern of the whole image, added and clipped: adversarial, universal and crafted perturbations.

    Attributes
    ----------
    channels, height, width
        Shape of the pattern, and of the images that it suits.
    steps
        The pattern in steps of 1/32640 (1/128 of a pixel's level), little-endian int16 [C, H, W], packed by zlib, as
        base64. Use `from_pattern` to make and `pattern` to read them.
    """

    kind: Literal["additive"] = "additive"
    channels: Literal[1, 3]
    height: int = Field(gt=0, le=MAX_SIDE)
    width: int = Field(gt=0, le=MAX_SIDE)
    steps: str
    name: str = "pattern"

    @model_validator(mode="after")
    def _is_whole(self) -> Additive:
        if not self._values.any():
            raise ValueError("the pattern is zero everywhere, so it would change nothing")
        if np.abs(self._values.astype(np.int32)).max() > STEPS:
            raise ValueError("the pattern exceeds 1 somewhere")
        return self

    @classmethod
    def from_pattern(cls, pattern: np.ndarray, name: str = "pattern") -> Additive:
        """Return the trigger that adds this pattern, rounded to steps of 1/32640.

        Parameters
        ----------
        pattern
            float [C, H, W] in [-1, 1], in pixels of [0, 1]; C is 1 or 3.
        name
            What to call it.

        Raises
        ------
        InputError
            The array has another shape, is too large, leaves the range, or rounds to zero everywhere.
        """
        pattern = np.asarray(pattern, np.float64)
        if pattern.ndim != 3 or pattern.shape[0] not in {1, 3} or 0 in pattern.shape:
            raise InputError(
                f"A pattern is an array [channels, height, width] of 1 or 3 channels; this one is "
                f"{list(pattern.shape)}. Give it one value for each pixel and channel."
            )
        if max(pattern.shape) > MAX_SIDE:
            raise InputError(
                f"A pattern may be {MAX_SIDE} pixels a side; this one is {pattern.shape[2]}x{pattern.shape[1]}. "
                "Make it smaller."
            )
        if not np.abs(pattern).max() <= 1:  # also says no to not-a-number
            raise InputError("A pattern's values lie from -1 to 1, in pixels of [0, 1]. Scale or clip it first.")
        steps = np.rint(pattern * STEPS).astype("<i2")
        if not steps.any():
            raise InputError("This pattern is zero everywhere, so it would change nothing. Make it stronger.")
        channels, height, width = pattern.shape
        packed = base64.b64encode(zlib.compress(steps.tobytes(), 9)).decode()
        return cls(channels=channels, height=height, width=width, steps=packed, name=name)

    @cached_property
    def _values(self) -> np.ndarray:
        size = self.channels * self.height * self.width * 2
        try:
            unpacker = zlib.decompressobj()
            # Never more than the size says: a link or a file is not trusted.
            raw = unpacker.decompress(base64.b64decode(self.steps, validate=True), size + 1)
            if len(raw) != size or not unpacker.eof:
                raise ValueError
        except (ValueError, binascii.Error, zlib.error):
            raise ValueError(
                f"the steps are no packed pattern of {self.channels}x{self.height}x{self.width} values"
            ) from None
        return np.frombuffer(raw, "<i2").reshape(self.channels, self.height, self.width)

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides what it does to an image: the steps, not how they are packed."""
        return self.model_dump(mode="json", exclude={"name", "steps"}) | {"content": self._content}

    @cached_property
    def _content(self) -> str:
        return hashlib.sha256(self._values.tobytes()).hexdigest()

    def suits(self, shape: Shape) -> str | None:
        """Return None if images of this (C, H, W) have the pattern's shape, else a sentence."""
        if tuple(shape) == (self.channels, self.height, self.width):
            return None
        return (
            f"The pattern was made for images of {self.channels}x{self.height}x{self.width} values (channels, height, "
            f"width), but these have {'x'.join(map(str, shape))}: choose a data set of that shape."
        )

    def pattern(self, shape: Shape) -> np.ndarray:
        """Return what is added to images of this (C, H, W): float32 [C, H, W] in [-1, 1]."""
        self.check_fits(shape)
        return self._values.astype(np.float32) / np.float32(STEPS)

    def to_link(self) -> str:
        """Return it as a short text for a URL."""
        packed = self.steps.rstrip("=").translate(str.maketrans("+/", "-_"))
        return f"additive~{self.channels}~{self.height}~{self.width}~{packed}"

    @classmethod
    def from_parts(cls, parts: Sequence[str]) -> Additive:
        """Return the pattern in a link; ValueError if it is not whole."""
        channels, height, width, packed = parts
        padded = packed.translate(str.maketrans("-_", "+/")) + "=" * (-len(packed) % 4)
        return cls.model_validate(
            {"channels": int(channels), "height": int(height), "width": int(width), "steps": padded}
        )
