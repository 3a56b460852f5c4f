"""Cutting a set that comes in one piece into training and test images."""

from __future__ import annotations

import numpy as np

TEST_SHARE = 0.2


def stratified_split(labels: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Choose 20 % of each class for testing, at least one image.

    Parameters
    ----------
    labels
        int [N]; each class that occurs needs two images or more.
    seed
        Decides which images are chosen.

    Returns
    -------
    Indices of the training and of the test images, each in ascending order.
    """
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        chosen[members[: max(1, round(TEST_SHARE * len(members)))]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)
