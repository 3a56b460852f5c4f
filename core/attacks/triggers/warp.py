"""A small smooth distortion of the whole image (WaNet)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from core.attacks.triggers.base import Shape, change_pixels
from core.attacks.triggers.formula import Formula


class Warp(Formula, frozen=True):
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

    title: ClassVar = "Warp (WaNet)"
    sentence: ClassVar = "Warps every image slightly, always in the same way (WaNet; Nguyen and Tran, 2021)."

    kind: Literal["warp"] = "warp"
    k: int = Field(default=4, ge=2, le=64, title="Control points", json_schema_extra={"usual": [2, 12]})
    strength: float = Field(
        default=0.5, gt=0, le=64, allow_inf_nan=False, title="Strength",
        json_schema_extra={"step": 0.1, "usual": [0.1, 8.0]},
    )  # fmt: skip
    seed: int = Field(default=0, ge=0, lt=2**32, title="Shape", description="Change the number for a different warp.")
    name: str = "warp"

    @classmethod
    def suited_to(cls, shape: Shape) -> Self:
        """Return the paper's strength on images of up to 16 pixels a side, and eight times as much on larger ones.

        After the ten epochs that people wait for, at a rate of 0.1, it reaches an attack success rate of 0.94 on digits
        of 8x8 pixels; on traffic signs of 32x32 it reaches 0.08, a strength of 2 reaches 0.59 and one of 4 0.91, clean
        accuracy within 0.6 points of the control's. The paper trains for a hundred times as long.
        """
        return cls(strength=0.5 if min(shape[1:]) <= 16 else 4.0)

    @classmethod
    def largest(cls, shape: Shape) -> Mapping[str, float]:
        """Return the most control points that images of this (C, H, W) can have a side."""
        return {"k": min(shape[1:])}

    def suits(self, shape: Shape) -> str | None:
        """Return None unless images of this (C, H, W) have fewer pixels a side than there are control points."""
        if min(shape[1:]) >= self.k:
            return None
        return (
            f"A warp of {self.k}x{self.k} control points needs images of at least that many pixels a side; these are "
            f"{shape[2]}x{shape[1]}: choose fewer control points."
        )

    def stronger(self) -> Self | None:
        """Return a warp of twice the strength, up to 8: beyond that images are hardly recognised."""
        return self.model_copy(update={"strength": min(2 * self.strength, 8)}) if self.strength < 8 else None

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

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Return warped copies of the images; see `BaseTrigger.stamp`."""
        sources, weights = self._reading(images.shape[1:])

        def warped(pixels: np.ndarray, white: float) -> np.ndarray:
            del white
            flat = pixels.reshape(*pixels.shape[:2], pixels.shape[2] * pixels.shape[3])
            read = (flat[:, :, source] * weight for source, weight in zip(sources, weights, strict=True))
            return functools.reduce(np.add, read).reshape(pixels.shape)

        return change_pixels(images, warped)

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
