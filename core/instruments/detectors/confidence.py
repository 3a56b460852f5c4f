"""The plain baselines that every detector has to be better than: how sure is the model of the image as it is."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from core.instruments.predictor import Predictor


def confidence_scores(predictor: Predictor, images: Tensor) -> np.ndarray:
    """Return the largest softmax probability of each image, float64 [N]."""
    return predictor.logits(images).double().softmax(1).amax(1).numpy()


def margin_scores(predictor: Predictor, images: Tensor) -> np.ndarray:
    """Return how far the largest logit of each image leads the second, float64 [N].

    Logits, not probabilities: where the softmax rounds to 1 they still tell images apart.
    """
    first, second = predictor.logits(images).double().topk(2, dim=1).values.T
    return (first - second).numpy()
