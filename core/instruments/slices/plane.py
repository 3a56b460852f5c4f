"""A square piece of a plane through image space, and the classes on it: where things lie, without any model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.drawing import Drawn
from core.errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Float64, Int64
    from torch import Tensor

_MARGIN = 0.25
# Images are float32 at best: a part shorter than this share of the whole vector is rounding.
_COLLINEAR = 1e-4


@dataclass(frozen=True, eq=False)
class SlicePlane(Drawn):
    """Predicted classes on a square piece of the plane through three images.

    A point (x, y) of the plane is the image origin + x * x_axis + y * y_axis. The axes are orthonormal over the
    pixels, so distances in the plane are L2 distances between images, the same on both axes.

    Attributes
    ----------
    labels
        int64 [R, R]: the class predicted at (x[c], y[r]) is labels[r, c].
    evaluated
        bool [R, R]: where the model was asked; elsewhere the label is that of the nearest node of the coarse grid.
    x, y
        float64 [R], ascending, in units of L2 over pixels of [0, 1].
    origin, x_axis, y_axis
        float64 [C, H, W].
    points
        The three images' places: `origin` (0, 0), `toward` (d, 0) and `across`.
    """

    labels: Int64[np.ndarray, "R R"]
    evaluated: Bool[np.ndarray, "R R"]
    x: Float64[np.ndarray, " R"]
    y: Float64[np.ndarray, " R"]
    origin: Float64[np.ndarray, "C H W"]
    x_axis: Float64[np.ndarray, "C H W"]
    y_axis: Float64[np.ndarray, "C H W"]
    points: dict[str, tuple[float, float]]

    @property
    def evaluations(self) -> int:
        """Number of points at which the model was asked."""
        return int(self.evaluated.sum())

    @property
    def labels_present(self) -> tuple[int, ...]:
        """The classes that occur, ascending."""
        return tuple(int(label) for label in np.unique(self.labels))

    def snap(self, x: float, y: float) -> tuple[float, float] | None:
        """Return the point that a place means: one of `points` in its cell, else the grid point; None off the map."""
        column, row = (int(np.abs(along - at).argmin()) for along, at in ((self.x, x), (self.y, y)))
        step = float(self.x[1] - self.x[0])
        if abs(self.x[column] - x) > step or abs(self.y[row] - y) > step:
            return None
        for px, py in self.points.values():
            if (int(np.abs(self.x - px).argmin()), int(np.abs(self.y - py).argmin())) == (column, row):
                return px, py
        return float(self.x[column]), float(self.y[row])

    def nearest(self, image: Float64[np.ndarray, "C H W"]) -> tuple[float, float]:
        """Return the point whose image is nearest to this one, in L2; an image of the plane is its own."""
        away = image - self.origin
        return float(np.vdot(away, self.x_axis)), float(np.vdot(away, self.y_axis))

    def image(self, x: float, y: float) -> Float32[Tensor, "C H W"]:
        """Return the image at (x, y), float32 [C, H, W]; its pixels may leave [0, 1]."""
        return self.images(np.array([x]), np.array([y]))[0]

    def images(self, x: Float64[np.ndarray, " M"], y: Float64[np.ndarray, " M"]) -> Float32[Tensor, "M C H W"]:
        """Return the images at M points, float32 [M, C, H, W]."""
        import torch

        right, up = (torch.as_tensor(along, dtype=torch.float32)[:, None, None, None] for along in (x, y))
        origin, x_axis, y_axis = (
            torch.as_tensor(image, dtype=torch.float32) for image in (self.origin, self.x_axis, self.y_axis)
        )
        return origin + right * x_axis + up * y_axis


def blank_plane(
    origin: Float64[np.ndarray, "C H W"],
    toward: Float64[np.ndarray, "C H W"],
    across: Float64[np.ndarray, "C H W"],
    resolution: int,
    shown: Collection[tuple[float, float]] = (),
) -> SlicePlane:
    """Return the plane through three images before any model was asked: class 0 everywhere, nothing evaluated.

    Parameters
    ----------
    origin, toward, across
        float64 [C, H, W]: the first lies at (0, 0), the second on the x axis, the third above it.
    resolution
        Points along each side.
    shown
        Further points that the square is to hold: those of other planes, for one scale and one window.

    Raises
    ------
    InputError
        The images are collinear.
    """
    distance, x_axis = _direction(toward - origin, toward - origin)
    along = float(np.vdot(across - origin, x_axis))
    height, y_axis = _direction(across - origin - along * x_axis, across - origin)
    points = {"origin": (0.0, 0.0), "toward": (distance, 0.0), "across": (along, height)}
    x, y = _grid(np.array([*points.values(), *shown]), resolution)
    labels = np.zeros((resolution, resolution), np.int64)
    return SlicePlane(labels, np.zeros_like(labels, bool), x, y, origin, x_axis, y_axis, points)


def _direction(
    vector: Float64[np.ndarray, "C H W"], whole: Float64[np.ndarray, "C H W"]
) -> tuple[float, Float64[np.ndarray, "C H W"]]:
    length = float(np.linalg.norm(vector))
    if length <= _COLLINEAR * np.linalg.norm(whole):
        raise InputError("The three images lie on one line, so they span no plane; choose another third image.")
    return length, vector / length


def _grid(
    points: Float64[np.ndarray, "P 2"], resolution: int
) -> tuple[Float64[np.ndarray, " R"], Float64[np.ndarray, " R"]]:
    low, high = points.min(0), points.max(0)
    half = (0.5 + _MARGIN) * (high - low).max()
    steps = np.linspace(-half, half, resolution)
    return (low + high)[0] / 2 + steps, (low + high)[1] / 2 + steps
