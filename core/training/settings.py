"""Training settings for everyone who has no wish of their own: what suits an architecture and a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.datasets import describe as describe_dataset
from core.models import describe as describe_architecture

Optimiser = Literal["adamw", "sgd"]
Augmentation = Literal["none", "shift", "shift-flip"]

_WEIGHT_DECAYS: dict[str, float] = {"adamw": 1e-2, "sgd": 5e-4}


@dataclass(frozen=True)
class Settings:
    """How long and with what to train, in the fields of `RunSpec`: `make_spec(**vars(settings), ...)` takes them."""

    epochs: int
    batch_size: int
    learning_rate: float
    augmentation: Augmentation


def default_learning_rate(architecture: str, optimiser: Optimiser) -> float:
    """Return the peak of the one-cycle schedule that suits an architecture; InputError if it is unknown."""
    known = describe_architecture(architecture)
    return known.learning_rate if optimiser == "adamw" else known.sgd_learning_rate


def default_weight_decay(optimiser: Optimiser) -> float:
    """Return the decay of the weights that suits an optimiser: AdamW's is decoupled from the gradient, SGD's is not."""
    return _WEIGHT_DECAYS[optimiser]


def recommended(dataset: str, architecture: str, careful: bool) -> Settings:
    """Return settings that suit a data set and an architecture: seconds to a minute or so, or three times as long.

    Tried with the small CNN and a white corner at a rate of 10 %:

    - digits, three seeds: CA 0.981 after 10 epochs, 0.985 after 20 and after 30. Moving the images by a pixel does not
      pay: 0.974 after 10 epochs, 0.972 after 30, 0.981 after 40. ASR is 0.999 or more in all of them.
    - Fashion-MNIST, one seed, 4000 images, 8 epochs: CA 0.867 and ASR 0.979; with "shift" 0.837 and 0.967; with
      "shift-flip" 0.822 and 0.672: mirrored, the trigger lies in another corner and is learned half as often.

    So the small nets are never augmented, and the large ones on CIFAR-10 when care is wanted: there it is what their
    authors did (He et al., CVPR 2016); it was not tried here. Batches of 128 from 10 000 images on keep an accelerator
    busy, and the architectures' learning rates were chosen for 64 to 128.

    Parameters
    ----------
    dataset
        As in `core.datasets.describe`; a ZIP of unknown size counts as small.
    architecture
        A name of `core.models.architecture_names()`.
    careful
        Whether three times the epochs, and augmentation where it pays, are worth waiting for.

    Raises
    ------
    InputError
        There is no such data set or architecture.
    """
    known = describe_dataset(dataset)
    size = known.train_size or 0
    epochs = 10 if size <= 10_000 else 5 if size <= 30_000 else 3
    may_augment = describe_architecture(architecture).augmented and known.may_be_mirrored
    return Settings(
        epochs=3 * epochs if careful else epochs,
        batch_size=64 if size <= 10_000 else 128,
        learning_rate=default_learning_rate(architecture, "adamw"),
        augmentation="shift-flip" if careful and may_augment else "none",
    )
