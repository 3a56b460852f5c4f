"""W as a detector: an image around which the answers hardly waver is suspicious."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from core.instruments.budgets import DETECTION
from core.instruments.detectors.detector import ImageDetector, Prepared, Suspect

if TYPE_CHECKING:
    from torch import Tensor

    from core.instruments.predictor import Predictor


class Smooth(ImageDetector, frozen=True):
    """See `smoothness_scores`."""

    title: ClassVar = "W"
    sentence: ClassVar = "Predictions that barely change under Gaussian noise."
    fails: ClassVar = (
        "Where the noise hides the trigger, where the target class is smooth by itself, and where a pattern smooths "
        "without any backdoor."
    )
    source: ClassVar = (
        "Grosse et al. 2022, arXiv 2006.06721; its third version says that W may not serve directly as a defence."
    )

    def prepare(self, suspect: Suspect) -> Prepared:
        """Return how it scores images."""
        spec = suspect.spec
        return Prepared(
            lambda images: smoothness_scores(suspect.predictor, images, spec.sigma, spec.draws, spec.seed),
            f"sigma {spec.sigma:g}, {spec.draws} draws",
        )


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
    from core.datasets.dataset import content_key
    from core.instruments.smoothness import measure_smoothness

    return -measure_smoothness(predictor, images, sigma, draws, seed, keys=[content_key(image) for image in images]).w
