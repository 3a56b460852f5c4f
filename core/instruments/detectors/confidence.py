"""The plain baselines that every detector has to be better than: how sure is the model of the image as it is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from core.instruments.detectors.detector import ImageDetector, Prepared, Suspect

if TYPE_CHECKING:
    from torch import Tensor

    from core.instruments.predictor import Predictor


class LargestSoftmax(ImageDetector, frozen=True):
    """See `confidence_scores`."""

    title: ClassVar = "Largest softmax"
    sentence: ClassVar = "Predictions that are confident without any noise."
    fails: ClassVar = "Overconfident networks, which are as confident of clean images."
    source: ClassVar = "A plain baseline (Hendrycks and Gimpel 2017, arXiv 1610.02136, for the largest softmax)."

    def prepare(self, suspect: Suspect) -> Prepared:
        """Return how it scores images."""
        return Prepared(partial(confidence_scores, suspect.predictor))


class Margin(ImageDetector, frozen=True):
    """See `margin_scores`."""

    title: ClassVar = "Margin"
    sentence: ClassVar = "Predictions that lead the second class by far, in logits."
    fails: ClassVar = "As the largest softmax, though it is never rounded to a tie."
    source: ClassVar = "A plain baseline."

    def prepare(self, suspect: Suspect) -> Prepared:
        """Return how it scores images."""
        return Prepared(partial(margin_scores, suspect.predictor))


def confidence_scores(predictor: Predictor, images: Tensor) -> np.ndarray:
    """Return the largest softmax probability of each image, float64 [N]."""
    return predictor.logits(images).double().softmax(1).amax(1).numpy()


def margin_scores(predictor: Predictor, images: Tensor) -> np.ndarray:
    """Return how far the largest logit of each image leads the second, float64 [N].

    Logits, not probabilities: where the softmax rounds to 1 they still tell images apart.
    """
    first, second = predictor.logits(images).double().topk(2, dim=1).values.T
    return (first - second).numpy()
