"""Activation clustering: among training images of one label, poisoned ones form a small cluster of their own."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from core.instruments.detectors.detector import TrainingSetDetector
from core.instruments.detectors.training_set import each_label

# Whitened, ten directions spread alike and k-means has many poor optima. More starts find better ones, slowly: on
# digits at a rate of 3 % the true split is better than any that a thousand starts found.
_STARTS = 50


class ActivationClustering(TrainingSetDetector, frozen=True):
    """See `activation_clustering_scores`."""

    title: ClassVar = "Activation clustering"
    sentence: ClassVar = "Training images in the smaller of two clusters of their label's features."
    fails: ClassVar = (
        "Few poisoned images, which do not make a cluster; as many as clean ones of their label, which make the larger "
        "one; and clean classes that fall into two kinds by themselves."
    )
    source: ClassVar = (
        "Chen et al. 2018, arXiv 1811.03728; for low rates: Hayase et al. 2021 (SPECTRE), arXiv 2104.11315; for many: "
        "measured here."
    )

    dimensions: int = Field(10, ge=1, le=100, title="Components", description="Principal components that are kept.")

    def scores(self, features: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
        """Return float64 [N]; see `activation_clustering_scores`."""
        return activation_clustering_scores(features, labels, self.dimensions, seed)


def activation_clustering_scores(
    features: np.ndarray, labels: np.ndarray, dimensions: int = 10, seed: int = 0
) -> np.ndarray:
    """Return 1 minus the share of its label's images that lie in an image's own cluster: float64 [N] in [0, 1).

    For each label the features are reduced to whitened principal components and split in two by k-means; members of
    the smaller cluster score higher. Scores are tied within a cluster.

    The paper reduces by independent component analysis. That is whitened principal components, rotated, and k-means
    sees distances only, which no rotation changes: leaving it out gives the same clusters, and always converges.

    Parameters
    ----------
    features
        Float [N, D], what the last layer reads of the training images.
    labels
        int [N], the labels they were trained with, poisoned ones included.
    dimensions
        Components that are kept.
    seed
        Of both.

    References
    ----------
    Chen, Carvalho, Baracaldo, Ludwig, Edwards, Lee, Molloy, Srivastava: Detecting backdoor attacks on deep neural
    networks by activation clustering, SafeAI 2019, arXiv 1811.03728.
    """
    return each_label(features, labels, lambda part: _one_label(part, dimensions, seed))


def _one_label(features: np.ndarray, dimensions: int, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    if len(features) < 2:
        return np.zeros(len(features))
    # k-means starts from rows by their number: in an order of their own, images score alike however they come in.
    order = np.lexsort(features.T)
    members = np.empty(len(features), np.int64)
    clusters = KMeans(2, n_init=_STARTS, random_state=seed)  # pyright: ignore[reportArgumentType] (scikit-learn has no types)
    members[order] = clusters.fit_predict(_reduced(features[order], dimensions, seed))
    return 1 - np.bincount(members, minlength=2)[members] / len(features)


def _reduced(features: np.ndarray, dimensions: int, seed: int) -> np.ndarray:
    from sklearn.decomposition import PCA

    # No more components than the features truly have: whitening divides by each one's deviation.
    count = min(dimensions, int(np.linalg.matrix_rank(features - features.mean(0))))
    if count == 0:
        return np.zeros((len(features), 1))
    return PCA(count, whiten=True, random_state=seed).fit_transform(features)
