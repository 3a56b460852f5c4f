"""SCALE-UP: a trigger goes on deciding when all pixels are amplified, so the answer stays the same."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from core.instruments.predictor import Predictor

FACTORS = (3, 5, 7, 9, 11)


def scale_up_scores(predictor: Predictor, images: Tensor, factors: tuple[float, ...] = FACTORS) -> np.ndarray:
    """Return the share of amplified copies of each image that keep its predicted class: float64 [N], many of them tied.

    Pixels are multiplied in [0, 1], before the model's own normalisation, and cut to [0, 1].

    Parameters
    ----------
    predictor
        The model.
    images
        Float [N, C, H, W] in [0, 1].
    factors
        What pixels are multiplied by.

    References
    ----------
    Guo, Li, Chen, Guo, Sun, Liu: SCALE-UP, ICLR 2023, arXiv 2302.03251; the data-free variant.
    """
    own = predictor.labels(images)
    kept = torch.stack([predictor.labels((factor * images).clamp(0, 1)) == own for factor in factors])
    return kept.double().mean(0).numpy()
