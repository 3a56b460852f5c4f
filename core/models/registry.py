"""Which architectures there are, and how to get one by its name.

To add one: write a file with its network in it and name it in `_ARCHITECTURES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from core.datasets import Dataset
    from core.models.normalize import Normalize

Shape = tuple[int, int, int]

# The small CNN halves an image twice; nothing smaller shows anything anyhow.
_SMALLEST_SIDE = 4


@dataclass(frozen=True)
class Architecture:
    """What is known of an architecture without importing torch.

    Attributes
    ----------
    name
        What `build_model` is asked for.
    title
        How people call it.
    learning_rate
        Peak of the one-cycle schedule that trains it well with AdamW, weight decay 1e-2 and batches of 64 to 128.
    build
        From (channels, height, width) and the number of classes to the untrained network.
    bfloat16
        Whether trained ones answer in bfloat16 as in float64 for at least 99 % of noisy images, and move mean W by at
        most 0.002, at every sigma (`make soak`); others are measured in float32.
    """

    name: str
    title: str
    learning_rate: float
    build: Callable[[Shape, int], nn.Module]
    bfloat16: bool = True


def architecture_names() -> tuple[str, ...]:
    """Return the names that `build_model` knows."""
    return tuple(_ARCHITECTURES)


def describe(name: str) -> Architecture:
    """Return what is known of an architecture without building it.

    Raises
    ------
    InputError
        The architecture is unknown.
    """
    if name not in _ARCHITECTURES:
        known = ", ".join(_ARCHITECTURES)
        raise InputError(f"There is no architecture called {name!r}; choose one of: {known}.")
    return _ARCHITECTURES[name]


def build_model(architecture: str, shape: Shape, classes: int) -> nn.Module:
    """Return an untrained model on images in [0, 1]; its weights follow from torch's random state.

    Parameters
    ----------
    architecture
        One of `architecture_names()`.
    shape
        (channels, height, width) of one image; sides from 8 to 64 pixels are what the architectures are made for.
    classes
        Number of classes K; the model maps [N, C, H, W] to logits [N, K].

    Raises
    ------
    InputError
        The architecture is unknown, a side is shorter than 4 pixels, or there are fewer than 2 classes.
    """
    channels, height, width = shape
    if channels < 1 or min(height, width) < _SMALLEST_SIDE:
        raise InputError(
            f"Images of {channels} channels and {height}x{width} pixels are too small for a network; enlarge them to "
            f"at least {_SMALLEST_SIDE}x{_SMALLEST_SIDE}."
        )
    if classes < 2:
        raise InputError(f"A model of {classes} classes has nothing to tell apart; give images of at least 2 classes.")
    return describe(architecture).build(shape, classes)


def model_for(architecture: str, dataset: Dataset) -> nn.Module:
    """Return an untrained model for a data set, its first layer set to the training images' mean and deviation."""
    model = build_model(architecture, dataset.shape, len(dataset.classes))
    cast("Normalize", model.normalize).fit(dataset.train.images)
    return model


def _small_cnn(shape: Shape, classes: int) -> nn.Module:
    from core.models.small_cnn import SmallCNN

    return SmallCNN(shape, classes)


def _tiny_cnn(shape: Shape, classes: int) -> nn.Module:
    from core.models.small_cnn import SmallCNN

    return SmallCNN(shape, classes, widths=(16, 32, 64))


def _mlp(shape: Shape, classes: int) -> nn.Module:
    from core.models.mlp import MLP

    return MLP(shape, classes)


def _resnet(shape: Shape, classes: int) -> nn.Module:
    from core.models.resnet import ResNet18

    return ResNet18(shape, classes)


def _preact_resnet(shape: Shape, classes: int) -> nn.Module:
    from core.models.preact_resnet import PreActResNet18

    return PreActResNet18(shape, classes)


def _vit(shape: Shape, classes: int) -> nn.Module:
    from core.models.vit import ViT

    return ViT(shape, classes)


# The learning rates did best, or within the spread of two seeds of it, in a few epochs of digits, tried in steps of two
# from 5e-4 to 5e-3; on Fashion-MNIST the MLP and the ViT agree. The small CNN's did best in three epochs of the latter.
_ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        Architecture("small-cnn", "Small CNN", 1e-2, _small_cnn),
        # So few channels average out too little of the rounding: mean W moves by up to 0.004.
        Architecture("tiny-cnn", "Tiny CNN", 1e-2, _tiny_cnn, bfloat16=False),
        Architecture("mlp", "MLP", 5e-3, _mlp),
        Architecture("resnet-18", "ResNet-18", 1e-3, _resnet),
        Architecture("preact-resnet-18", "PreAct-ResNet-18", 1e-3, _preact_resnet),
        Architecture("vit", "Small ViT", 2e-3, _vit),
    )
}
