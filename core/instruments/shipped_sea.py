"""W over one plane under two models at several noise levels, kept to be shown without a model.

The votes are kept as they are, so that W and its interval come from them as ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InputError
from core.instruments.budgets import SLICE_POINT_DRAWS
from core.instruments.noise import Noise
from core.instruments.slices.plane import SlicePlane, blank_plane
from core.instruments.slices.plane_smoothness import PlaneSmoothness, Surroundings, surroundings
from core.instruments.smoothness import Arithmetic, Smoothness, arithmetic_of
from core.instruments.statistics import Estimate

if TYPE_CHECKING:
    from torch import Tensor

    from core.instruments.predictor import Predictor

RESOLUTION, W_RESOLUTION, DRAWS = 129, 33, SLICE_POINT_DRAWS


@dataclass(frozen=True, eq=False)
class ShippedSea:
    """The predicted classes and W over one plane under two models, the poisoned one and its control.

    Axis M is the model (poisoned, control), axis S the sigma; a grid's row 0 is the lowest y.

    Attributes
    ----------
    images
        float32 [3, C, H, W]: the image, the same with the trigger, and a third one, which span the plane.
    across
        What the plane's second axis is.
    sigmas
        float64 [S].
    labels
        uint8 [M, R, R]: the class predicted without noise.
    votes
        uint8 [S, M, r, r, K]: how many noisy copies of each point of a coarser grid get each class, seed 0.
    around
        float64 [S, M, 2, 3]: mean W around the clean image and around the one with the trigger, with its 95% interval
        for more draws; see `core.instruments.slices.plane_smoothness.surroundings`.
    counted
        int [2]: grid points around each of the two.
    radius
        How far these are from the image, in L2.
    circumstances
        What computed the votes: as in `core.instruments.smoothness.Arithmetic`.
    """

    images: np.ndarray
    across: np.ndarray
    sigmas: np.ndarray
    labels: np.ndarray
    votes: np.ndarray
    around: np.ndarray
    counted: np.ndarray
    radius: np.ndarray
    circumstances: np.ndarray

    def plane(self, of_control: bool = False) -> SlicePlane:
        """Return the classes over the plane."""
        first, second, third = self.images.astype(np.float64)
        labels = self.labels[int(of_control)].astype(np.int64)
        blank = blank_plane(first, second, third, len(labels))
        return replace(blank, labels=labels, evaluated=np.ones_like(blank.evaluated))

    def smoothness(self, sigma: float, of_control: bool = False) -> PlaneSmoothness:
        """Return W over the plane at one of the sigmas."""
        kept = self.votes[self._level(sigma), int(of_control)].astype(np.int64)
        side = len(kept)
        votes = kept.reshape(side * side, -1)
        device, dtype, batch = self.circumstances.tolist()
        noise = Noise(sigma, int(votes[0].sum()), keys=range(len(votes)))
        measured = Smoothness(votes, noise, Arithmetic(device, dtype, int(batch)))
        whole = self.plane(of_control)
        x, y = (np.linspace(along[0], along[-1], side) for along in (whole.x, whole.y))
        return PlaneSmoothness(x, y, measured.w.reshape(side, side), np.ones((side, side), bool), measured)

    def is_on(self, plane: SlicePlane) -> bool:
        """Say whether this is W over the same plane: its images and its corners."""
        mine = self.plane()
        ends = [(one.x[[0, -1]], one.y[[0, -1]], one.origin, one.x_axis, one.y_axis) for one in (mine, plane)]
        return all(
            own.shape == other.shape and np.allclose(own, other, atol=1e-5) for own, other in zip(*ends, strict=True)
        )

    def surroundings(self, sigma: float, of_control: bool = False) -> Surroundings:
        """Return mean W around the clean image and around the one with the trigger, at one of the sigmas."""
        means = self.around[self._level(sigma), int(of_control)].tolist()
        clean, triggered = (Estimate(*mean, n=count) for mean, count in zip(means, self.counted.tolist(), strict=True))
        return Surroundings(clean, triggered, float(self.radius))

    def _level(self, sigma: float) -> int:
        return int(np.flatnonzero(self.sigmas == sigma)[0])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all of it by name, for an npz file."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any]) -> ShippedSea:
        """Return the sea whose `arrays` these are."""
        return cls(**{field.name: stored[field.name] for field in fields(cls)})


def make_shipped_sea(
    models: tuple[Predictor, Predictor], images: Tensor, across: str, sigmas: Sequence[float]
) -> ShippedSea:
    """Measure W over a plane under the poisoned model and its control.

    Parameters
    ----------
    models
        The poisoned one and its control.
    images
        Float [3, C, H, W]: the image, the same with the trigger, and a third one.
    across
        What the plane's second axis is.
    sigmas
        Noise levels.
    """
    from core.instruments.slices.refine import slice_plane, smoothness_over_plane_steps

    planes = [slice_plane(model, *images, resolution=RESOLUTION) for model in models]

    def measured(sigma: float, of_control: bool) -> PlaneSmoothness:
        model, plane = models[of_control], planes[of_control]
        *_, last = smoothness_over_plane_steps(model, plane, sigma, DRAWS, resolution=W_RESOLUTION)
        return last

    maps = [[measured(sigma, of_control) for of_control in (False, True)] for sigma in sigmas]
    return sea_of(maps, planes, images.numpy(), across, arithmetic_of(models[0], images.shape[1:]))


def sea_of(
    maps: Sequence[Sequence[PlaneSmoothness]],
    planes: Sequence[SlicePlane],
    images: np.ndarray,
    across: str,
    arithmetic: Arithmetic,
) -> ShippedSea:
    """Return what is kept of W over two models' planes, `maps[sigma][model]`; for the others see `ShippedSea`."""
    around = [[surroundings(found, plane) for found, plane in zip(level, planes, strict=True)] for level in maps]
    means = [[(seen.clean, seen.triggered) for seen in level if seen is not None] for level in around]
    first = around[0][0]
    if first is None:
        raise InputError("Too few points of this plane lie around its images; choose another third image.")
    side = len(maps[0][0].w)
    return ShippedSea(
        images=images.astype(np.float32),
        across=np.array(across),
        sigmas=np.array([level[0].measured.noise.sigma for level in maps]),
        labels=np.stack([plane.labels for plane in planes]).astype(np.uint8),
        votes=np.stack([[found.measured.votes for found in level] for level in maps])
        .reshape(len(maps), len(planes), side, side, -1)
        .astype(np.uint8),
        around=np.array([[[(one.value, one.low, one.high) for one in pair] for pair in level] for level in means]),
        counted=np.array([first.clean.n, first.triggered.n]),
        radius=np.array(first.radius),
        circumstances=np.array([str(part) for part in arithmetic]),
    )
