"""Planes through image space: which class the model predicts at each point, refined where the label changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from core.errors import InputError
from core.predictor import Predictor, as_predictor, check_images
from core.smoothness import Smoothness, measure_smoothness

Model = Callable[[Tensor], Tensor] | Predictor

# First a glimpse, then the coarse grid: no point of the plane is further than 2.9 points from a node of it, so that a
# disc of 9 points' diameter holds one wherever it lies.
_STRIDES = (16, 4)
_MARGIN = 0.25
# Images are float32 at best: a part shorter than this share of the whole vector is rounding.
_COLLINEAR = 1e-4
_CHUNK = 1024


@dataclass(frozen=True, eq=False)
class SlicePlane:
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

    labels: np.ndarray
    evaluated: np.ndarray
    x: np.ndarray
    y: np.ndarray
    origin: np.ndarray
    x_axis: np.ndarray
    y_axis: np.ndarray
    points: dict[str, tuple[float, float]]

    @property
    def evaluations(self) -> int:
        """Number of points at which the model was asked."""
        return int(self.evaluated.sum())

    @property
    def labels_present(self) -> tuple[int, ...]:
        """The classes that occur, ascending."""
        return tuple(int(label) for label in np.unique(self.labels))

    def image(self, x: float, y: float) -> Tensor:
        """Return the image at (x, y), float32 [C, H, W]; its pixels may leave [0, 1]."""
        return self.images(np.array([x]), np.array([y]))[0]

    def images(self, x: np.ndarray, y: np.ndarray) -> Tensor:
        """Return the images at M points, float32 [M, C, H, W]."""
        right, up = (torch.as_tensor(along, dtype=torch.float32)[:, None, None, None] for along in (x, y))
        origin, x_axis, y_axis = (
            torch.as_tensor(image, dtype=torch.float32) for image in (self.origin, self.x_axis, self.y_axis)
        )
        return origin + right * x_axis + up * y_axis


def slice_plane(model: Model, origin: Tensor, toward: Tensor, across: Tensor, resolution: int = 257) -> SlicePlane:
    """Slice image space through three images and find the predicted class at each point of a square grid.

    The model is asked on a coarse grid first, then wherever neighbouring labels differ. A region of another class is
    found for certain if it holds a node of the coarse grid, as every disc of 9 grid points' diameter does.

    Parameters
    ----------
    model
        From images [N, C, H, W] to logits [N, K], or a `Predictor`, which is used as it is.
    origin, toward, across
        Three images, float [C, H, W]: the first lies at (0, 0), the second on the x axis, the third above it. For the
        directions of a trigger and another one, give origin + direction.
    resolution
        Points along each side, at least 9.

    Raises
    ------
    InputError
        The images are collinear, of different shapes or not finite, or the resolution is below 9.
    """
    *_, plane = slice_plane_steps(model, origin, toward, across, resolution)
    return plane


def slice_plane_steps(
    model: Model, origin: Tensor, toward: Tensor, across: Tensor, resolution: int = 257
) -> Iterator[SlicePlane]:
    """Yield the plane from a few points, then ever finer; the last one is what `slice_plane` returns."""
    if resolution < 9:
        raise InputError(f"A slice of {resolution} points a side shows nothing; ask for at least 9.")
    return _steps(as_predictor(model), _blank_plane(origin, toward, across, resolution))


@dataclass(frozen=True, eq=False)
class PlaneConfidence:
    """How sure a model is over a plane, at grid points (x[c], y[r]) of the same plane.

    Attributes
    ----------
    x, y
        float64 [R], as in the plane.
    probability
        float64 [R, R]: the softmax of the predicted class.
    margin
        float64 [R, R]: the largest logit minus the second largest.
    """

    x: np.ndarray
    y: np.ndarray
    probability: np.ndarray
    margin: np.ndarray


def confidence_over_plane(model: Model, plane: SlicePlane, resolution: int = 65) -> PlaneConfidence:
    """Return top probability and margin on a coarser grid over a plane."""
    x, y, images = _coarser(plane, resolution)
    logits = as_predictor(model).logits(images).double()
    first, second = logits.topk(2, dim=1).values.T.numpy()
    shape = resolution, resolution
    probability = logits.softmax(1).amax(1).numpy()
    return PlaneConfidence(x, y, probability.reshape(shape), (first - second).reshape(shape))


@dataclass(frozen=True, eq=False)
class PlaneSmoothness:
    """W over a plane, at grid points (x[c], y[r]) of the same plane.

    Attributes
    ----------
    x, y
        float64 [R], as in the plane.
    w
        float64 [R, R].
    measured
        The result `w` comes from, images in the order of `w.ravel()`.
    """

    x: np.ndarray
    y: np.ndarray
    w: np.ndarray
    measured: Smoothness


def smoothness_over_plane(
    model: Model, plane: SlicePlane, sigma: float, draws: int = 64, seed: int = 0, *, resolution: int = 33
) -> PlaneSmoothness:
    """Measure W on a coarser grid over a plane, each point with its own noise."""
    x, y, images = _coarser(plane, resolution)
    measured = measure_smoothness(model, images, sigma, draws, seed)
    return PlaneSmoothness(x, y, measured.w.reshape(resolution, resolution), measured)


def _coarser(plane: SlicePlane, resolution: int) -> tuple[np.ndarray, np.ndarray, Tensor]:
    if resolution < 2:
        raise InputError(f"A grid of {resolution} points a side covers no plane; ask for at least 2.")
    x, y = (np.linspace(along[0], along[-1], resolution) for along in (plane.x, plane.y))
    across, up = np.meshgrid(x, y)
    return x, y, plane.images(across.ravel(), up.ravel())


def _steps(predictor: Predictor, plane: SlicePlane) -> Iterator[SlicePlane]:
    for stride in _STRIDES:
        nodes = _nodes(len(plane.x), stride)
        asked = np.zeros_like(plane.evaluated)
        asked[np.ix_(nodes, nodes)] = True
        plane = _spread(_ask(predictor, plane, asked & ~plane.evaluated), nodes)
        yield plane
    while (asked := _beside_a_change(plane.labels) & ~plane.evaluated).any():
        plane = _ask(predictor, plane, asked)
        yield plane


def _blank_plane(origin: Tensor, toward: Tensor, across: Tensor, resolution: int) -> SlicePlane:
    images = (origin, toward, across)
    if not all(isinstance(image, Tensor) and image.ndim == 3 and image.shape == origin.shape for image in images):
        raise InputError("A slice needs three images [C, H, W] of one shape; give three images of the same data set.")
    check_images(torch.stack(images))
    start, first, second = (image.detach().cpu().double().numpy() for image in images)
    distance, x_axis = _direction(first - start, first - start)
    along = float(np.vdot(second - start, x_axis))
    height, y_axis = _direction(second - start - along * x_axis, second - start)
    points = {"origin": (0.0, 0.0), "toward": (distance, 0.0), "across": (along, height)}
    x, y = _grid(np.array(list(points.values())), resolution)
    labels = np.zeros((resolution, resolution), np.int64)
    return SlicePlane(labels, np.zeros_like(labels, bool), x, y, start, x_axis, y_axis, points)


def _direction(vector: np.ndarray, whole: np.ndarray) -> tuple[float, np.ndarray]:
    length = float(np.linalg.norm(vector))
    if length <= _COLLINEAR * np.linalg.norm(whole):
        raise InputError("The three images lie on one line, so they span no plane; choose another third image.")
    return length, vector / length


def _grid(points: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = points.min(0), points.max(0)
    half = (0.5 + _MARGIN) * (high - low).max()
    steps = np.linspace(-half, half, resolution)
    return (low + high)[0] / 2 + steps, (low + high)[1] / 2 + steps


def _nodes(resolution: int, stride: int) -> np.ndarray:
    return np.union1d(np.arange(0, resolution, stride), resolution - 1)


def _spread(plane: SlicePlane, nodes: np.ndarray) -> SlicePlane:
    nearest = nodes[np.abs(np.arange(len(plane.x))[:, None] - nodes).argmin(1)]
    return replace(plane, labels=plane.labels[np.ix_(nearest, nearest)])


def _beside_a_change(labels: np.ndarray) -> np.ndarray:
    beside = np.zeros(labels.shape, bool)
    padded = np.pad(labels, 1, mode="edge")
    rows, columns = labels.shape
    for down in range(3):
        for right in range(3):
            beside |= padded[down : down + rows, right : right + columns] != labels
    return beside


def _ask(predictor: Predictor, plane: SlicePlane, asked: np.ndarray) -> SlicePlane:
    rows, columns = np.nonzero(asked)
    labels = plane.labels.copy()
    for start in range(0, len(rows), _CHUNK):
        r, c = rows[start : start + _CHUNK], columns[start : start + _CHUNK]
        labels[r, c] = predictor.labels(plane.images(plane.x[c], plane.y[r])).numpy()
    return replace(plane, labels=labels, evaluated=plane.evaluated | asked)
