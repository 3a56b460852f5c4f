"""Triggers that are formulas instead of pictures: a signed pattern that is added, a sinusoid, a warp.

They have the face of `Trigger`: `apply`, `stamp`, `covers`, `check_fits`, `identity`, `to_link` and `name`. They
always cover the whole image, so they have no place.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.attacks.triggers.trigger import MAX_SIDE
from core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, int, int]

# An additive pattern is stored in whole steps: 128 of them are one of the 255 levels of a pixel.
STEPS = 255 * 128


class _Formula(BaseModel):
    """What the formulas share: they are values, and their name is no part of their identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "formula"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Formula) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.identity.items())))

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides what it does to an image; the name does not."""
        return self.model_dump(mode="json", exclude={"name"})


class _Added(_Formula):
    """A pattern that is added to the whole image; the sum is clipped to [0, 1]."""

    def pattern(self, shape: Shape) -> np.ndarray:
        """Return what is added to images of this (C, H, W): float32 [C, H, W] in [-1, 1]."""
        raise NotImplementedError

    def covers(self, shape: Shape) -> np.ndarray:
        """Return which pixels of such images it adds anything to, bool [H, W]."""
        return np.asarray(self.pattern(shape).any(axis=0))

    def apply(self, images: Tensor) -> Tensor:
        """Return copies of the images with the pattern added and clipped; see `Trigger.apply` for shapes and types."""
        import torch

        pattern = torch.from_numpy(self.pattern(tuple(images.shape[1:]))).to(images.device)
        if images.dtype == torch.uint8:
            return (images + 255 * pattern).round().clamp(0, 255).to(torch.uint8)
        return (images + pattern.to(images.dtype)).clamp(0, 1)

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Do what `apply` does to uint8 images [N, C, H, W] held by numpy."""
        pattern = self.pattern(images.shape[1:])
        return np.rint(images + 255 * pattern).clip(0, 255).astype(np.uint8)


class Additive(_Added):
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

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that decides what it does to an image: the steps, not how they are packed."""
        content = hashlib.sha256(self._values.tobytes()).hexdigest()
        return self.model_dump(mode="json", exclude={"name", "steps"}) | {"content": content}

    def check_fits(self, shape: Shape) -> None:
        """Raise InputError unless images of this (C, H, W) have the pattern's shape."""
        if tuple(shape) != (self.channels, self.height, self.width):
            raise InputError(
                f"The pattern was made for images of {self.channels}x{self.height}x{self.width} values (channels, "
                f"height, width), but these have {'x'.join(map(str, shape))}: choose a data set of that shape."
            )

    def pattern(self, shape: Shape) -> np.ndarray:
        """Return what is added to images of this (C, H, W): float32 [C, H, W] in [-1, 1]."""
        self.check_fits(shape)
        return self._values.astype(np.float32) / np.float32(STEPS)

    def to_link(self) -> str:
        """Return it as a short text for a URL."""
        packed = self.steps.rstrip("=").translate(str.maketrans("+/", "-_"))
        return f"additive~{self.channels}~{self.height}~{self.width}~{packed}"


class Sinusoid(_Added):
    """Stripes that are added to the whole image: ``delta * sin(2 pi j frequency / W)`` on column j = 1..W (SIG).

    Attributes
    ----------
    delta
        Amplitude, in pixels of [0, 1]; published attacks use 10/255 to 60/255.
    frequency
        Periods across the image's width.

    References
    ----------
    M. Barni, K. Kallas, B. Tondi, "A new backdoor attack in CNNs by training set corruption without label poisoning",
    ICIP 2019.
    """

    kind: Literal["sinusoid"] = "sinusoid"
    delta: float = Field(default=20 / 255, gt=0, le=1, allow_inf_nan=False)
    frequency: float = Field(default=6.0, gt=0, le=MAX_SIDE, allow_inf_nan=False)
    name: str = "sinusoid"

    def check_fits(self, shape: Shape) -> None:
        """Raise InputError if the stripes vanish on images of this (C, H, W)."""
        if np.abs(self._wave(shape[2])).max() < 0.5 / 255:
            raise InputError(
                f"A sinusoid of {self.frequency:g} periods and amplitude {self.delta:.3g} is zero at every one of "
                f"{shape[2]} columns: choose another frequency, below {shape[2] / 2:g}, or a larger amplitude."
            )

    def pattern(self, shape: Shape) -> np.ndarray:
        """Return what is added to images of this (C, H, W): float32 [C, H, W] in [-1, 1]."""
        self.check_fits(shape)
        return np.broadcast_to(self._wave(shape[2]), shape).astype(np.float32)

    def _wave(self, width: int) -> np.ndarray:
        return self.delta * np.sin(2 * np.pi * self.frequency * np.arange(1, width + 1) / width)

    def to_link(self) -> str:
        """Return it as a short text for a URL."""
        return f"sinusoid~{self.delta!r}~{self.frequency!r}"


class Warp(_Formula):
    """A smooth, small distortion of the whole image that people hardly see (WaNet).

    A grid of k x k random shifts, scaled to a mean absolute value of 1, is enlarged to the image by bicubic
    interpolation and multiplied by strength / side, in coordinates that run from -1 to 1 over the image; pixels are
    then read from the shifted places by bilinear interpolation. Shifts end at the image's edge.

    Attributes
    ----------
    k
        Control points a side.
    strength
        About twice the mean shift at the control points, in pixels; 0.5 in the paper.
    seed
        Decides the shifts.

    References
    ----------
    A. Nguyen, A. Tran, "WaNet - imperceptible warping-based backdoor attack", ICLR 2021.
    """

    kind: Literal["warp"] = "warp"
    k: int = Field(default=4, ge=2, le=64)
    strength: float = Field(default=0.5, gt=0, le=64, allow_inf_nan=False)
    seed: int = Field(default=0, ge=0, lt=2**32)
    name: str = "warp"

    def check_fits(self, shape: Shape) -> None:
        """Raise InputError if images of this (C, H, W) have fewer pixels a side than there are control points."""
        if min(shape[1:]) < self.k:
            raise InputError(
                f"A warp of {self.k}x{self.k} control points needs images of at least that many pixels a side; these "
                f"are {shape[2]}x{shape[1]}: choose fewer control points."
            )

    def places(self, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
        """Return the row and the column that each pixel is read from: float64 [H, W] each, inside the image."""
        self.check_fits(shape)
        _, height, width = shape
        shifts = np.random.default_rng([self.seed, 0x3A9B]).uniform(-1, 1, (2, self.k, self.k))
        shifts /= np.abs(shifts).mean()
        down, across = (
            _cubic(height, self.k) @ grid @ _cubic(width, self.k).T * self.strength * (side - 1) / (2 * side)
            for grid, side in zip(shifts, (height, width), strict=True)
        )
        rows, columns = np.mgrid[:height, :width]
        return (rows + down).clip(0, height - 1), (columns + across).clip(0, width - 1)

    def covers(self, shape: Shape) -> np.ndarray:
        """Return which pixels of such images are read from another place, bool [H, W]."""
        rows, columns = self.places(shape)
        own_rows, own_columns = np.mgrid[: shape[1], : shape[2]]
        return (rows != own_rows) | (columns != own_columns)

    def apply(self, images: Tensor) -> Tensor:
        """Return warped copies of the images; see `Trigger.apply` for shapes and types."""
        import torch

        sources, weights = (torch.from_numpy(part).to(images.device) for part in self._reading(tuple(images.shape[1:])))
        levels = images.dtype == torch.uint8
        flat = images.flatten(2).float() if levels else images.flatten(2)
        weights = weights.to(flat.dtype)
        warped = flat[:, :, sources[0]] * weights[0]
        for source, weight in zip(sources[1:], weights[1:], strict=True):
            warped = warped + flat[:, :, source] * weight
        return (warped.round().to(torch.uint8) if levels else warped).reshape(images.shape)

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Do what `apply` does to uint8 images [N, C, H, W] held by numpy."""
        flat = images.reshape(*images.shape[:2], -1).astype(np.float32)
        sources, weights = self._reading(images.shape[1:])
        warped = flat[:, :, sources[0]] * weights[0]
        for source, weight in zip(sources[1:], weights[1:], strict=True):
            warped = warped + flat[:, :, source] * weight
        return np.rint(warped).astype(np.uint8).reshape(images.shape)

    def _reading(self, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
        """Return the four pixels that each pixel mixes and their weights: int64 and float32, [4, H * W] each."""
        rows, columns = self.places(shape)
        above, before = rows.astype(np.int64), columns.astype(np.int64)
        below, after = np.minimum(above + 1, shape[1] - 1), np.minimum(before + 1, shape[2] - 1)
        down, across = rows - above, columns - before
        sources = [
            above * shape[2] + before,
            above * shape[2] + after,
            below * shape[2] + before,
            below * shape[2] + after,
        ]
        weights = [(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across]
        return np.stack(sources).reshape(4, -1), np.stack(weights).reshape(4, -1).astype(np.float32)

    def to_link(self) -> str:
        """Return it as a short text for a URL."""
        return f"warp~{self.k}~{self.strength!r}~{self.seed}"


def _cubic(size: int, knots: int) -> np.ndarray:
    """Return the matrix [size, knots] that enlarges `knots` values to `size` by cubic convolution, ends on ends.

    Keys (1981) with a = -3/4, as in the paper's own code; beyond the ends the last value goes on.
    """
    a = -0.75
    position = np.linspace(0, knots - 1, size)
    first = np.floor(position).astype(np.int64)
    matrix = np.zeros((size, knots))
    for offset in (-1, 0, 1, 2):
        distance = np.abs(position - (first + offset))
        near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
        far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
        knot = (first + offset).clip(0, knots - 1)
        np.add.at(matrix, (np.arange(size), knot), np.where(distance <= 1, near, np.where(distance < 2, far, 0.0)))
    return matrix
