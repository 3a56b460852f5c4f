"""Architectures and their weights. One file an architecture; `build_model` finds it by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from core.datasets import Dataset

Shape = tuple[int, int, int]


def _small_cnn(shape: Shape, classes: int) -> nn.Module:
    from core.models.small_cnn import SmallCNN

    return SmallCNN(shape, classes)


_BUILDERS: dict[str, Callable[[Shape, int], nn.Module]] = {"small-cnn": _small_cnn}


def architecture_names() -> tuple[str, ...]:
    """Return the names that `build_model` knows."""
    return tuple(_BUILDERS)


def build_model(architecture: str, shape: Shape, classes: int) -> nn.Module:
    """Return an untrained model on images in [0, 1].

    Parameters
    ----------
    architecture
        One of `architecture_names()`.
    shape
        (channels, height, width) of one image.
    classes
        Number of classes K; the model maps [N, C, H, W] to logits [N, K].

    Raises
    ------
    InputError
        The architecture is unknown.
    """
    if architecture not in _BUILDERS:
        known = ", ".join(_BUILDERS)
        raise InputError(f"There is no architecture called {architecture!r}; choose one of: {known}.")
    return _BUILDERS[architecture](shape, classes)


def model_for(architecture: str, dataset: Dataset) -> nn.Module:
    """Return an untrained model for a data set, its first layer set to the training images' mean and deviation."""
    model = build_model(architecture, dataset.shape, len(dataset.classes))
    model.normalize.fit(dataset.train.images)
    return model
