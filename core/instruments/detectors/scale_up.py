"""SCALE-UP: a trigger goes on deciding when all pixels are amplified, so the answer stays the same."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from core.instruments.detectors.detector import ImageDetector, Prepared, Suspect

if TYPE_CHECKING:
    from torch import Tensor

    from core.instruments.predictor import Predictor

FACTORS = (3, 5, 7, 9, 11)


class ScaleUp(ImageDetector, frozen=True):
    """See `scale_up_scores`."""

    title: ClassVar = "SCALE-UP"
    sentence: ClassVar = "Predictions that stay the same when all pixels are amplified."
    fails: ClassVar = (
        "Images that are amplified into themselves (black and white ones, such as digits), and triggers that "
        "amplifying wipes out; five copies give only six different scores."
    )
    source: ClassVar = "Guo et al. 2023, arXiv 2302.03251."

    def prepare(self, suspect: Suspect) -> Prepared:
        """Return how it scores images."""
        return Prepared(partial(scale_up_scores, suspect.predictor), f"factors {', '.join(map(str, FACTORS))}")


def scale_up_scores(predictor: Predictor, images: Tensor, factors: tuple[float, ...] = FACTORS) -> np.ndarray:
    """Return the share of amplified copies of each image that keep its predicted class: float64 [N], many of them tied.

    Pixels are multiplied in [0, 1], before the model's own normalisation, and cut to [0, 1].

    Parameters
    ----------
    predictor, images
        The model, and float [N, C, H, W] in [0, 1].
    factors
        What pixels are multiplied by.

    References
    ----------
    Guo, Li, Chen, Guo, Sun, Liu: SCALE-UP, ICLR 2023, arXiv 2302.03251; the data-free variant.
    """
    import torch

    own = predictor.labels(images)
    kept = torch.stack([predictor.labels((factor * images).clamp(0, 1)) == own for factor in factors])
    return kept.double().mean(0).numpy()
