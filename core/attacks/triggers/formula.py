"""Triggers that are formulas instead of pictures: they cover the whole image, and people set their numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from core.attacks.triggers.base import BaseTrigger, Shape, change_pixels


class Formula(BaseTrigger, frozen=True):
    """A trigger whose fields are its settings: the page draws them as widgets, `--trigger NAME` takes their defaults.

    A field's title, description, bounds and step (`json_schema_extra={"step": ...}`) say how it is drawn.

    Attributes
    ----------
    title
        What people call this kind.
    sentence
        What it does to images, and who published it.
    """

    title: ClassVar[str]
    sentence: ClassVar[str]

    @classmethod
    def suited_to(cls, shape: Shape) -> Self:
        """Return the one that people start from on images of this (C, H, W); by default with all defaults."""
        del shape
        return cls.model_validate({})

    @classmethod
    def largest(cls, shape: Shape) -> Mapping[str, float]:
        """Return the largest values of those fields that images of this (C, H, W) limit further; by default of none."""
        del shape
        return {}

    def suits(self, shape: Shape) -> str | None:
        """Return None if it can be put on images of this (C, H, W), else a sentence that says why not."""
        del shape
        return None


class Added(BaseTrigger, frozen=True):
    """A trigger that adds the same pattern to every image; the sum is cut to [0, 1]."""

    @abstractmethod
    def pattern(self, shape: Shape) -> np.ndarray:
        """Return what is added to images of this (C, H, W): float32 [C, H, W] in [-1, 1]; InputError if unsuited."""

    def covers(self, shape: Shape) -> np.ndarray:
        """Return which pixels of such images it adds anything to, bool [H, W]."""
        return np.asarray(self.pattern(shape).any(axis=0))

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Return copies of the images with the pattern added; see `BaseTrigger.stamp`."""
        pattern = self.pattern(images.shape[1:])
        return change_pixels(images, lambda pixels, white: (pixels + white * pattern).clip(0, white))
