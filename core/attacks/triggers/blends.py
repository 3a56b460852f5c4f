"""See-through layers over the whole image, made from a few numbers: they become a drawing, and so a picture trigger.

After Chen, Liu, Li, Lu and Song, "Targeted backdoor attacks on deep learning systems using data poisoning", 2017, arXiv
1712.05526.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from core.attacks.triggers.canvases import BLEND_SEED, blend_image, blend_noise
from core.errors import InputError

if TYPE_CHECKING:
    from core.datasets import Dataset


class Blend(BaseModel, ABC, frozen=True):
    """A layer whose fields are its settings; `title` and `sentence` say what it is."""

    title: ClassVar[str]
    sentence: ClassVar[str]

    @classmethod
    def largest(cls, dataset: Dataset) -> Mapping[str, float]:
        """Return the largest values of those fields that a data set limits further; by default of none."""
        del dataset
        return {}

    @abstractmethod
    def canvas(self, dataset: Dataset) -> np.ndarray:
        """Return it as a whole-image RGBA picture, uint8 [H, W, 4]; InputError if the data set does not suit."""


def _opacity() -> float:
    return Field(0.2, gt=0, le=1, title="Opacity", json_schema_extra={"per": 100, "usual": [0.01, 1], "format": "%g%%"})


class BlendedNoise(Blend, frozen=True):
    """Uniform noise over the whole image."""

    title: ClassVar = "Blended noise"
    sentence: ClassVar = "A semi-transparent layer of noise is blended over the whole image (Chen and others, 2017)."

    opacity: float = _opacity()
    seed: int = Field(
        BLEND_SEED, ge=0, le=9999, title="Noise", description="Change the number for a different noise pattern."
    )

    def canvas(self, dataset: Dataset) -> np.ndarray:
        """Return the noise as a picture."""
        return blend_noise(dataset.shape, self.opacity, self.seed)


class BlendedImage(Blend, frozen=True):
    """A training image over the whole image."""

    title: ClassVar = "Blended image"
    sentence: ClassVar = "A semi-transparent image is blended over every poisoned image (Chen and others, 2017)."

    opacity: float = _opacity()
    number: int = Field(7, ge=0, title="Training image")

    @classmethod
    def largest(cls, dataset: Dataset) -> Mapping[str, float]:
        """Return the last training image's number."""
        return {"number": len(dataset.train) - 1}

    def canvas(self, dataset: Dataset) -> np.ndarray:
        """Return the training image of that number as a picture."""
        if self.number >= len(dataset.train):
            raise InputError(
                f"{dataset.name} has {len(dataset.train)} training images, numbered from 0; choose a number below that."
            )
        return blend_image(dataset.train.images[self.number].numpy(), self.opacity)


BLENDS: dict[str, type[Blend]] = {
    "noise": BlendedNoise,
    "image": BlendedImage,
}
