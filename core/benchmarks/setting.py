"""What the rows measure: sizes of the work, the data, and one trained model that several of them use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from core.device import choose_device, native_bfloat16
from core.models import build_model

if TYPE_CHECKING:
    from core.attacks.triggers import Trigger
    from core.datasets import Dataset
    from core.training.spec import RunSpec

TARGET, RATE = 0, 0.05


@dataclass(frozen=True, eq=False)
class Setting:
    """Sizes of the work. The defaults are the table's; tests take smaller ones.

    Attributes
    ----------
    repetitions
        Turns that the contenders take.
    data_root
        Folder of the data sets; None for the usual one.
    images, draws
        Of the row that compares W with its reference.
    resnet_images, resnet_draws, resnet_shape
        Of ResNet-18, whose images cost seventy times as much.
    estimate_draws
        Draws of the first estimate, for the clean image and again for the triggered one.
    resolution
        Points a side of a slice.
    learned_images
        Images that the trained model has learned from, in one epoch.
    epoch_images
        The part of an epoch that one turn of training takes.
    memory_images, memory_draws
        Images, and the two numbers of draws that must need equal memory.
    scaling_images, scaling_draws
        What grows to sixteen times as much.
    """

    repetitions: int = 7
    data_root: Path | str | None = None
    images: int = 64
    draws: int = 250
    resnet_images: int = 2
    resnet_draws: int = 128
    resnet_shape: tuple[int, int, int] = (3, 32, 32)
    estimate_draws: int = 250
    resolution: int = 257
    learned_images: int = 12_000
    epoch_images: int = 6_000
    memory_images: int = 10_000
    memory_draws: tuple[int, int] = (32, 128)
    scaling_images: int = 16
    scaling_draws: int = 64

    @cached_property
    def device(self) -> torch.device:
        """Where everything is computed."""
        return torch.device(choose_device())

    @property
    def is_fast_cpu(self) -> bool:
        """Whether this is a CPU that multiplies bfloat16, as some targets ask for."""
        return self.device.type == "cpu" and native_bfloat16("cpu")

    @cached_property
    def dataset(self) -> Dataset:
        """Fashion-MNIST where it is at hand, else digits of the same size and number."""
        from core.datasets import load_dataset

        return load_dataset("fashion-mnist", self.data_root) if self._has_fashion() else enlarged_digits()

    def _has_fashion(self) -> bool:
        # Asking the registry for a data set that is missing would download it.
        from core.datasets import data_folder

        raw = data_folder(self.data_root) / "FashionMNIST" / "raw"
        names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
        return all((raw / f"{name}-ubyte").exists() for name in names)

    @cached_property
    def trigger(self) -> Trigger:
        """A white patch of 3x3 pixels in the lower right corner."""
        from core.attacks.triggers import make_preset

        return make_preset("white-corner", self.dataset.shape)

    def spec(self) -> RunSpec:
        """Return the spec of one epoch of poisoned training with one thread."""
        from core.training.spec import make_spec

        return make_spec(
            dataset=self.dataset.name, trigger=self.trigger, target=TARGET, rate=RATE, epochs=1, threads=1, seed=0
        )

    @cached_property
    def memory_growths(self) -> dict[int, float]:
        """By how many MB measuring makes a process grow, for each number of draws; two rows read it."""
        from core.benchmarks.memory import measure_growths

        return measure_growths(self.memory_images, self.memory_draws)

    @cached_property
    def learned(self) -> nn.Module:
        """A small CNN after one short epoch on poisoned images, on the CPU."""
        from core.training.loop import Finished, train

        events = train(self.spec(), beginning(self.dataset, self.learned_images))
        return next(event.model for event in events if isinstance(event, Finished))


def untrained(architecture: str, shape: tuple[int, int, int]) -> nn.Module:
    """Return a model whose answers do not matter, only what they cost."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_model(architecture, shape, 10).eval()


def beginning(dataset: Dataset, count: int) -> Dataset:
    """Return the first training images, with a tenth as many to test on."""
    from core.datasets import Dataset, Split

    train, test = (
        Split(split.images[:size], split.labels[:size])
        for split, size in ((dataset.train, count), (dataset.test, max(100, count // 10)))
    )
    return Dataset(dataset.name, dataset.classes, train, test, dataset.fingerprint)


def enlarged_digits() -> Dataset:
    """Return scikit-learn's digits at 28x28 pixels, repeated until there are 60 000 and 10 000 of them."""
    from core.datasets import Dataset, Split, load_dataset

    def enlarged(split: Split, count: int) -> Split:
        order = torch.arange(count) % len(split.labels)
        images = nn.functional.interpolate(split.images.float(), size=(28, 28), mode="bilinear", align_corners=False)
        return Split(images.round().to(torch.uint8)[order], split.labels[order])

    digits = load_dataset("digits")
    train, test = enlarged(digits.train, 60_000), enlarged(digits.test, 10_000)
    return Dataset("digits", digits.classes, train, test, digits.fingerprint)
