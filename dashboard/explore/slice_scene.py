"""What a panel of slices is about, and W of an image as it says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.datasets import Dataset
from core.instruments.intervals import entropy_interval
from core.instruments.slices.choice import PlaneChoice
from core.runs.measured.w import Measurement
from core.runs.run import DoneRun
from dashboard.components.slice_view import Point

if TYPE_CHECKING:
    from core.attacks.triggers import AnyTrigger
    from core.instruments.slices.plane import SlicePlane
    from core.instruments.smoothness import Smoothness


@dataclass(frozen=True)
class ImageSmoothness:
    """W of one image with its interval, in units of log K, and the noisy copies it was measured with."""

    w: float
    low: float
    high: float
    draws: int

    @classmethod
    def of(cls, measured: Smoothness, number: int = 0) -> ImageSmoothness:
        """Return that of one of the images measured."""
        votes = measured.votes[[number]]
        low, high = entropy_interval(votes)
        return cls(float(measured.w[number]), float(low[0]), float(high[0]), int(votes.sum()))


@dataclass(frozen=True, eq=False)
class SliceSide:
    """One run of the panel, the trigger as it lies on the image there, and the class that this is to lead to."""

    run: DoneRun
    trigger: AnyTrigger
    target: int


@dataclass(frozen=True, eq=False)
class SliceScene:
    """What the panel is about: the runs by name, the image and the noise; and what was measured on the image.

    Each run is looked at with its own side's trigger, on a plane of that trigger's.
    """

    data: Dataset
    sides: Mapping[str, SliceSide]
    image: int
    sigma: float
    draws: int
    found: Mapping[str, Measurement]

    def known(self, name: str, choice: PlaneChoice, plane: SlicePlane) -> dict[Point, ImageSmoothness]:
        """Return W of the image without and with the trigger, where they lie: the page knows it, and says it once."""
        measured = self.found.get(name)
        if measured is None or self.image not in measured.chosen:
            return {}
        number = int(np.flatnonzero(measured.chosen == self.image)[0])
        sides = {"origin": measured.clean} | ({"toward": measured.triggered} if choice.along_trigger else {})
        return {plane.points[point]: ImageSmoothness.of(side, number) for point, side in sides.items()}

    @property
    def first(self) -> SliceSide:
        """The run that the panel is about first of all."""
        return next(iter(self.sides.values()))

    def plane_key(self, name: str, choice: PlaneChoice) -> str:
        """Return what names a run's plane: whatever decides the images that span it."""
        trigger = self.sides[name].trigger
        return "|".join([self.data.fingerprint, trigger.to_link(), str(self.image), choice.to_link()])
