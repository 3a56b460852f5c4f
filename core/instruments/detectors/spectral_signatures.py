"""Spectral signatures: poisoned images stand out along the direction in which their label's features spread most."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from core.instruments.detectors.detector import TrainingSetDetector
from core.instruments.detectors.training_set import each_label


class SpectralSignatures(TrainingSetDetector, frozen=True):
    """See `spectral_scores`."""

    title: ClassVar = "Spectral signatures"
    sentence: ClassVar = "Training images far out along the direction in which their label's features spread most."
    fails: ClassVar = (
        "Few poisoned images, or so many that they are the spread; clean labels' scores lie on scales of their own."
    )
    source: ClassVar = (
        "Tran, Li and Madry 2018, arXiv 1811.00636; for low rates: Hayase et al. 2021 (SPECTRE), arXiv 2104.11315."
    )

    def scores(self, features: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
        """Return float64 [N]; see `spectral_scores`."""
        del seed
        return spectral_scores(features, labels)


def spectral_scores(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the squared projection of each image's *centred* features on its label's top singular vector: float64 [N].

    Parameters
    ----------
    features, labels
        As in `core.instruments.detectors.activation_clustering.activation_clustering_scores`.

    References
    ----------
    Tran, Li, Madry: Spectral signatures in backdoor attacks, NeurIPS 2018, arXiv 1811.00636, Algorithm 1.
    """
    return each_label(features, labels, _one_label)


def _one_label(features: np.ndarray) -> np.ndarray:
    centred = features - features.mean(0)
    # Of a tall matrix the small product has the same singular vectors, in a tenth of the time.
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return (centred @ vectors[:, -1]) ** 2
