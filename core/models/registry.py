"""Which architectures there are, and how to get one by its name.

To add one: write a file with its network in it, and describe it in `ARCHITECTURES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
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
    """All that is known of an architecture, without importing torch.

    Attributes
    ----------
    name
        What `build_model` is asked for.
    title
        What people call it.
    sentence
        What it is good for.
    network
        Where its class is, as "module:Class": made from (channels, height, width) and the number of classes.
    learning_rate, sgd_learning_rate
        Peak of the one-cycle schedule that trains it well in batches of 64 to 128: with AdamW and weight decay 1e-2,
        and with SGD, Nesterov's momentum of 0.9 and weight decay 5e-4.
    bfloat16
        Whether trained ones answer in bfloat16 as in float64 for at least 99 % of noisy images, and move mean W by at
        most 0.002, at every sigma (`make soak`); others are measured in float32.
    any_size
        Whether one and the same network reads images of any size.
    augmented
        Whether it is large enough to learn its images by heart, so that moving and mirroring them pays.
    smallest_side
        The fewest pixels that an image may have on a side.
    """

    name: str
    title: str
    sentence: str
    network: str
    learning_rate: float
    sgd_learning_rate: float = 5e-2
    bfloat16: bool = True
    any_size: bool = True
    augmented: bool = False
    smallest_side: int = _SMALLEST_SIDE

    def suits(self, shape: Shape, classes: int) -> str | None:
        """Return None if it can learn images of a shape in that many classes, else the sentence that says why not."""
        channels, height, width = shape
        if channels < 1 or min(height, width) < self.smallest_side:
            return (
                f"Images of {channels} channels and {height}x{width} pixels are too small for {self.title}; enlarge "
                f"them to at least {self.smallest_side}x{self.smallest_side}."
            )
        if classes < 2:
            return f"A model of {classes} classes has nothing to separate; give images of at least 2 classes."
        return None

    def build(self, shape: Shape, classes: int) -> nn.Module:
        """Return an untrained network; see `build_model`."""
        module, _, network = self.network.partition(":")
        return getattr(import_module(module), network)(shape, classes)


def architecture_names() -> tuple[str, ...]:
    """Return the names that `build_model` knows."""
    return tuple(ARCHITECTURES)


def describe(name: str) -> Architecture:
    """Return what is known of an architecture without building it.

    Raises
    ------
    InputError
        The architecture is unknown.
    """
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise InputError(f"There is no architecture called {name!r}; choose one of: {known}.")
    return ARCHITECTURES[name]


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
    known = describe(architecture)
    why_not = known.suits(shape, classes)
    if why_not is not None:
        raise InputError(why_not)
    return known.build(shape, classes)


def model_for(architecture: str, dataset: Dataset) -> nn.Module:
    """Return an untrained model for a data set, its first layer set to the training images' mean and deviation."""
    model = build_model(architecture, dataset.shape, len(dataset.classes))
    cast("Normalize", model.normalize).fit(dataset.train.images)
    return model


# The learning rates did best, or within the spread of two seeds of it, in a few epochs of digits, tried in steps of two
# from 5e-4 to 5e-3; on Fashion-MNIST the MLP and the ViT agree. The small CNN's did best in three epochs of the latter.
# SGD's: CA on digits is 0.982 for the small CNN at 5e-2 and 1e-1 (AdamW 0.979), and 0.923, 0.946 and 0.958 for the MLP
# at 2e-2, 5e-2 and 1e-1 (AdamW 0.961), after five epochs of two seeds each. The ViT needs AdamW: 0.68 at 1e-1, its
# best, after three epochs of one seed, against 0.92. The ResNets' was not tried.
ARCHITECTURES: dict[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture(
            "small-cnn",
            "Small CNN",
            "Three convolutions: learns small images within seconds.",
            "core.models.small_cnn:SmallCNN",
            learning_rate=1e-2,
        ),
        Architecture(
            "tiny-cnn",
            "Tiny CNN",
            "The small CNN with half of its channels, for runs that are shipped.",
            "core.models.small_cnn:TinyCNN",
            learning_rate=1e-2,
            bfloat16=False,  # so few channels average out too little of the rounding: mean W moves by up to 0.004
        ),
        Architecture(
            "mlp",
            "MLP",
            "Two hidden layers: knows nothing of neighbouring pixels.",
            "core.models.mlp:MLP",
            learning_rate=5e-3,
            sgd_learning_rate=1e-1,
            any_size=False,
        ),
        Architecture(
            "resnet-18",
            "ResNet-18",
            "The residual network of the literature: wants a GPU.",
            "core.models.resnet:ResNet18",
            learning_rate=1e-3,
            augmented=True,
        ),
        Architecture(
            "preact-resnet-18",
            "PreAct-ResNet-18",
            "BackdoorBench's default network: wants a GPU.",
            "core.models.preact_resnet:PreActResNet18",
            learning_rate=1e-3,
            augmented=True,
        ),
        Architecture(
            "vit",
            "Small ViT",
            "A transformer on patches of the image.",
            "core.models.vit:ViT",
            learning_rate=2e-3,
            sgd_learning_rate=1e-1,
            any_size=False,
        ),
    )
}
"""Every architecture by its name, in the order in which people see them."""
