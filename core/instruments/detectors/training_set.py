"""What detectors that look at a whole training set share: they look at the images of one label at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.errors import InputError


def each_label(features: np.ndarray, labels: np.ndarray, score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return float64 [N]: the scores of each label's features [n, D] among themselves, in the order they came in.

    Raises
    ------
    InputError
        There is not one label for each row of features, or a feature is not finite.
    """
    features, labels = np.asarray(features, np.float64), np.asarray(labels)
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise InputError(
            f"Features [images, values] come with one label for each image, not {features.shape} with {labels.shape}."
        )
    if not np.isfinite(features).all():
        raise InputError("Features hold NaN or infinite values; the model may have diverged: train it again.")
    scores = np.zeros(len(labels))
    for label in np.unique(labels):
        scores[labels == label] = score(features[labels == label])
    return scores
