"""Planes through image space: which class the model predicts at each point, refined where the label changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core.errors import InputError
from core.instruments.budgets import PAGE, SLICE_POINT_DRAWS
from core.instruments.coarse_to_fine import coarse_grid, grid_nodes, nearest_measured
from core.instruments.predictor import Predictor, as_predictor, check_images
from core.instruments.slices.plane import SlicePlane, blank_plane
from core.instruments.slices.plane_smoothness import PlaneSmoothness
from core.instruments.smoothness import Smoothness, measure_smoothness

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Float64, Int64

Model = Callable[[Tensor], Tensor] | Predictor

# First a glimpse, then the coarse grid: no point of the plane is further than 2.9 points from a node of it, so that a
# disc of 9 points' diameter holds one wherever it lies.
_STRIDES = (16, 4)
# W costs many evaluations a point: it starts on fewer points and grows in small parts.
_SMOOTHNESS_STRIDES, _SMOOTHNESS_CHUNK = (4, 2, 1), 32
_CHUNK = 1024


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

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    >>> plane = slice_plane(model, *torch.rand(3, 1, 8, 8), resolution=33)
    >>> plane.labels.shape
    (33, 33)
    """
    *_, plane = slice_plane_steps(model, origin, toward, across, resolution)
    return plane


def slice_plane_steps(
    model: Model,
    origin: Tensor,
    toward: Tensor,
    across: Tensor,
    resolution: int = 257,
    shown: Collection[tuple[float, float]] = (),
) -> Iterator[SlicePlane]:
    """Yield the plane from a few points, then ever finer; the last one is what `slice_plane` returns.

    `shown` are further points that the square is to hold, see `core.instruments.slices.plane.blank_plane`.
    """
    if resolution < 9:
        raise InputError(f"A slice of {resolution} points a side shows nothing; ask for at least 9.")
    return _steps(as_predictor(model), spanned(origin, toward, across, resolution, shown))


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

    x: Float64[np.ndarray, " R"]
    y: Float64[np.ndarray, " R"]
    probability: Float64[np.ndarray, "R R"]
    margin: Float64[np.ndarray, "R R"]


def confidence_over_plane(model: Model, plane: SlicePlane, resolution: int = 65) -> PlaneConfidence:
    """Return top probability and margin on a coarser grid over a plane."""
    x, y, images = _coarser(plane, resolution)
    logits = as_predictor(model).logits(images).double()
    first, second = logits.topk(2, dim=1).values.T.numpy()
    shape = resolution, resolution
    probability = logits.softmax(1).amax(1).numpy()
    return PlaneConfidence(x, y, probability.reshape(shape), (first - second).reshape(shape))


@dataclass(frozen=True, eq=False)
class PlanePoint:
    """What a model makes of one point of a plane.

    Attributes
    ----------
    image
        float32 [C, H, W]; its pixels may leave [0, 1], and the model sees them so.
    label
        The predicted class.
    probability
        float64 [K]: the softmax of the logits.
    smoothness
        W of this one image.
    """

    image: Float32[Tensor, "C H W"]
    label: int
    probability: Float64[np.ndarray, " K"]
    smoothness: Smoothness


def look_at_point(
    model: Model,
    plane: SlicePlane,
    x: float,
    y: float,
    sigma: float,
    draws: int = PAGE.draws,
    seed: int = 0,
    key: int = 0,
) -> PlanePoint:
    """Look at the image at (x, y) of a plane; `sigma` and on as in W of images, with one key."""
    predictor, image = as_predictor(model), plane.image(x, y)
    logits = predictor.logits(image[None])[0].double()
    smoothness = measure_smoothness(predictor, image[None], sigma, draws, seed, keys=[key])
    return PlanePoint(image, int(logits.argmax()), logits.softmax(0).numpy(), smoothness)


def smoothness_over_plane_steps(
    model: Model,
    plane: SlicePlane,
    sigma: float,
    draws: int = SLICE_POINT_DRAWS,
    seed: int = 0,
    *,
    resolution: int = 33,
) -> Iterator[PlaneSmoothness]:
    """Yield W on a coarser grid over a plane, from a few points, then ever more, in the end all.

    Each point has its own noise; `sigma` and on as in W of images.
    """
    x, y, images = _coarser(plane, resolution)
    return _smoothness_steps(as_predictor(model), x, y, images, sigma, draws, seed)


def _smoothness_steps(
    predictor: Predictor,
    x: Float64[np.ndarray, " R"],
    y: Float64[np.ndarray, " R"],
    images: Float32[Tensor, "M C H W"],
    sigma: float,
    draws: int,
    seed: int,
) -> Iterator[PlaneSmoothness]:
    shape = len(y), len(x)
    evaluated, votes = np.zeros(len(images), bool), None
    for asked in _smoothness_order(len(x)):
        part = measure_smoothness(predictor, images[asked], sigma, draws, seed, keys=asked.tolist())
        votes = np.zeros((len(images), part.votes.shape[1]), np.int64) if votes is None else votes
        votes[asked], evaluated[asked] = part.votes, True
        keys = np.flatnonzero(evaluated)
        measured = replace(part, votes=votes[keys], noise=replace(part.noise, keys=keys))
        where = evaluated.reshape(shape).copy()
        yield PlaneSmoothness(x, y, _filled(measured.w, where), where, measured)


def _smoothness_order(side: int) -> Iterator[Int64[np.ndarray, " M"]]:
    """Yield numbers of grid points: a coarse grid as a whole, for a value everywhere, then the others in parts."""
    done = np.zeros((side, side), bool)
    for stride in _SMOOTHNESS_STRIDES:
        grid = coarse_grid(done.shape, stride)
        waiting = np.flatnonzero(grid & ~done)
        parts = -(-len(waiting) // _SMOOTHNESS_CHUNK) if done.any() else 1
        yield from np.array_split(waiting, parts) if len(waiting) else ()
        done |= grid


def _filled(values: Float64[np.ndarray, " M"], evaluated: Bool[np.ndarray, "R R"]) -> Float64[np.ndarray, "R R"]:
    """Return values at the evaluated points, and elsewhere the value of the nearest of them."""
    grid = np.zeros(evaluated.shape)
    grid[evaluated] = values
    return grid[nearest_measured(evaluated)]


def _coarser(
    plane: SlicePlane, resolution: int
) -> tuple[Float64[np.ndarray, " R"], Float64[np.ndarray, " R"], Float32[Tensor, "M C H W"]]:
    if resolution < 2:
        raise InputError(f"A grid of {resolution} points a side covers no plane; ask for at least 2.")
    x, y = (np.linspace(along[0], along[-1], resolution) for along in (plane.x, plane.y))
    across, up = np.meshgrid(x, y)
    return x, y, plane.images(across.ravel(), up.ravel())


def _steps(predictor: Predictor, plane: SlicePlane) -> Iterator[SlicePlane]:
    for stride in _STRIDES:
        asked = coarse_grid(plane.evaluated.shape, stride) & ~plane.evaluated
        plane = _spread(_ask(predictor, plane, asked), grid_nodes(len(plane.x), stride))
        yield plane
    while (asked := _beside_a_change(plane.labels) & ~plane.evaluated).any():
        plane = _ask(predictor, plane, asked)
        yield plane


def spanned(
    origin: Tensor, toward: Tensor, across: Tensor, resolution: int, shown: Collection[tuple[float, float]] = ()
) -> SlicePlane:
    """Return the plane through three images before any model was asked, see `blank_plane`; errors as `slice_plane`."""
    images = (origin, toward, across)
    if not all(isinstance(image, Tensor) and image.ndim == 3 and image.shape == origin.shape for image in images):
        raise InputError("A slice needs three images [C, H, W] of one shape; give three images of the same data set.")
    check_images(torch.stack(images))
    first, second, third = (image.detach().cpu().double().numpy() for image in images)
    return blank_plane(first, second, third, resolution, shown)


def _spread(plane: SlicePlane, nodes: Int64[np.ndarray, " M"]) -> SlicePlane:
    nearest = nodes[np.abs(np.arange(len(plane.x))[:, None] - nodes).argmin(1)]
    return replace(plane, labels=plane.labels[np.ix_(nearest, nearest)])


def _beside_a_change(labels: Int64[np.ndarray, "R R"]) -> Bool[np.ndarray, "R R"]:
    beside = np.zeros(labels.shape, bool)
    padded = np.pad(labels, 1, mode="edge")
    rows, columns = labels.shape
    for down in range(3):
        for right in range(3):
            beside |= padded[down : down + rows, right : right + columns] != labels
    return beside


def _ask(predictor: Predictor, plane: SlicePlane, asked: Bool[np.ndarray, "R R"]) -> SlicePlane:
    rows, columns = np.nonzero(asked)
    labels = plane.labels.copy()
    for start in range(0, len(rows), _CHUNK):
        r, c = rows[start : start + _CHUNK], columns[start : start + _CHUNK]
        labels[r, c] = predictor.labels(plane.images(plane.x[c], plane.y[r])).numpy()
    return replace(plane, labels=labels, evaluated=plane.evaluated | asked)
