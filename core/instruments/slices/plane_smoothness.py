"""W over a slice: at each point of a grid, and around two of its images. Needs no model and no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.instruments.intervals import mean_interval_monte_carlo
from core.instruments.smoothness import Smoothness
from core.instruments.statistics import Estimate

if TYPE_CHECKING:
    from jaxtyping import Bool, Float64

    from core.instruments.slices.plane import SlicePlane

# A disc reaches so far from its image, of the way to the other one: discs never overlap.
_REACH = 1 / 3
# A disc with fewer grid points would say what one of them says.
_FEWEST = 4


@dataclass(frozen=True, eq=False)
class PlaneSmoothness:
    """W over a plane, at grid points (x[c], y[r]) of the same plane.

    Attributes
    ----------
    x, y
        float64 [R], as in the plane.
    w
        float64 [R, R].
    evaluated
        bool [R, R]: where W was measured; elsewhere it is that of a measured grid point nearby.
    measured
        What was measured, images in the order of `w[evaluated]`; each one's key is its place in `w.ravel()`.
    """

    x: Float64[np.ndarray, " R"]
    y: Float64[np.ndarray, " R"]
    w: Float64[np.ndarray, "R R"]
    evaluated: Bool[np.ndarray, "R R"]
    measured: Smoothness

    @property
    def share_measured(self) -> float:
        """Share of the grid points at which W was measured."""
        return float(self.evaluated.mean())

    def with_known(self, known: Mapping[tuple[float, float], float]) -> PlaneSmoothness:
        """Return the same with W of points that were measured elsewhere, as images, at the grid points next to them."""
        w = self.w.copy()
        for (x, y), value in known.items():
            w[np.abs(self.y - y).argmin(), np.abs(self.x - x).argmin()] = value
        return replace(self, w=w)

    def within(self, point: tuple[float, float], radius: float) -> Estimate | None:
        """Return mean W at the measured grid points within a distance of a point, `n` of them; None where none is.

        Its 95% interval is for more draws at these very points.
        """
        rows, columns = np.nonzero(self.evaluated)
        inside = np.hypot(self.x[columns] - point[0], self.y[rows] - point[1]) <= radius
        if not inside.any():
            return None
        return replace(mean_interval_monte_carlo(self.measured.votes[inside]), n=int(inside.sum()))


@dataclass(frozen=True)
class Surroundings:
    """Mean W on a plane around the clean image and around the one with the trigger.

    Attributes
    ----------
    clean, triggered
        Means over `n` grid points each, with 95% intervals for more draws.
    radius
        How far these points are from the image, in L2.
    """

    clean: Estimate
    triggered: Estimate
    radius: float

    @property
    def gap(self) -> Estimate:
        """Clean minus triggered; the intervals are combined as variances are, since each point has its own noise."""
        clean, triggered = self.clean, self.triggered
        gap = clean.value - triggered.value
        below = np.hypot(clean.value - clean.low, triggered.high - triggered.value)
        above = np.hypot(clean.high - clean.value, triggered.value - triggered.low)
        return Estimate(gap, gap - float(below), gap + float(above))


def surroundings(smoothness: PlaneSmoothness, plane: SlicePlane) -> Surroundings | None:
    """Return mean W around the points `origin` and `toward` of a plane, the clean image and the one with the trigger.

    The discs reach a third of the way from one to the other. None where they hold fewer than four grid points.
    """
    clean, triggered = plane.points["origin"], plane.points["toward"]
    radius = _REACH * float(np.hypot(triggered[0] - clean[0], triggered[1] - clean[1]))
    around = [smoothness.within(point, radius) for point in (clean, triggered)]
    if any(mean is None or (mean.n or 0) < _FEWEST for mean in around):
        return None
    return Surroundings(*(mean for mean in around if mean is not None), radius=radius)
