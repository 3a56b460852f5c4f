"""STRIP: a trigger goes on deciding when other images are laid over the input, so the answers stay sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from core.errors import InputError
from core.instruments.detectors.detector import ImageDetector, Prepared, Suspect

if TYPE_CHECKING:
    from torch import Tensor

    from core.instruments.predictor import Predictor

_AT_A_TIME = 16


class Strip(ImageDetector, frozen=True):
    """See `strip_scores`."""

    title: ClassVar = "STRIP"
    sentence: ClassVar = "Predictions that stay confident when other images are laid over the input."
    fails: ClassVar = "Triggers that do not survive being laid over (large, faint or made for one source class)."
    source: ClassVar = "Gao et al. 2019, arXiv 1902.06531; they name source-class-specific triggers as out of reach."

    overlays: int = Field(
        100, ge=1, le=100, title="Overlays", description="Clean images laid over each image, at most."
    )

    def prepare(self, suspect: Suspect) -> Prepared:
        """Return how it scores images."""
        overlays = suspect.inputs.held_out[: self.overlays]
        return Prepared(lambda images: strip_scores(suspect.predictor, images, overlays), f"{len(overlays)} overlays")


def strip_scores(predictor: Predictor, images: Tensor, overlays: Tensor) -> np.ndarray:
    """Return minus the mean entropy of each image's answers with other images laid over it, in bits: float64 [N].

    Each overlay is added to each image and the sum cut to [0, 1], as the authors' code does (cv2.addWeighted with both
    weights 1). The entropy is that of the softmax over the *classes*, then averaged over the overlays. All images see
    the same overlays, so an image scores the same in whatever company it comes.

    Parameters
    ----------
    predictor
        The model.
    images
        Float [N, C, H, W] in [0, 1].
    overlays
        Float [M, C, H, W] in [0, 1]: clean images that the defender keeps for this.

    References
    ----------
    Gao, Xu, Wang, Chen, Ranasinghe, Nepal: STRIP, ACSAC 2019, arXiv 1902.06531.
    """
    if not len(overlays) or overlays.shape[1:] != images.shape[1:]:
        raise InputError(
            f"Overlays are clean images of the shape {list(images.shape[1:])}, at least one, not "
            f"{list(overlays.shape)}; take some of the same data set."
        )
    import torch

    entropies = []
    for part in images.split(_AT_A_TIME):
        laid_over = (part[:, None] + overlays).clamp(0, 1)
        probabilities = predictor.logits(laid_over.flatten(0, 1)).double().softmax(1)
        entropies.append(class_entropy(probabilities).view(laid_over.shape[:2]).mean(1))
    return -torch.cat(entropies).numpy()


def class_entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy in bits of each row of class probabilities [M, K], float64 [M]; 0 log 0 is 0."""
    import torch

    return torch.special.entr(probabilities.double()).sum(1) / np.log(2)
