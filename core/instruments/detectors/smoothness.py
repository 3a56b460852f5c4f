"""W as a detector: an image around which the answers hardly waver is suspicious."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from core.datasets.dataset import content_key
from core.instruments.budgets import DETECTION
from core.instruments.predictor import Predictor
from core.instruments.smoothness import measure_smoothness


def smoothness_scores(
    predictor: Predictor, images: Tensor, sigma: float, draws: int = DETECTION.draws, seed: int = 0
) -> np.ndarray:
    """Return minus W of each image, float64 [N]: higher means smoother.

    The noise of an image is named by its own pixels, so an image scores the same in whatever company it comes.

    Parameters
    ----------
    predictor, images, sigma, draws, seed
        As in `core.instruments.smoothness.measure_smoothness`.
    """
    return -measure_smoothness(predictor, images, sigma, draws, seed, keys=[content_key(image) for image in images]).w
