"""Random patterns of equal norm: what any optimised pattern or trigger has to be better than."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from core.attacks.patterns.pattern import Pattern, PatternTask
from core.attacks.triggers import Additive, BaseTrigger

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.patterns.step import Step

# To a thousandth of the scale; patterns come in steps of 1/255 anyway.
_HALVINGS = 12


class RandomPattern(Pattern, frozen=True):
    """See `random_like`."""

    title: ClassVar = "Random"
    sentence: ClassVar = "A random additive pattern as large as the trigger."
    needs: ClassVar = ("trigger",)

    def search(self, task: PatternTask) -> Iterator[Step]:
        """Yield the pattern."""
        from core.attacks.patterns.step import Step

        assert task.trigger is not None  # `needs` has seen to it
        yield Step(1.0, 0.0, random_like(task.trigger, task.learn, task.seed))


def random_like(trigger: BaseTrigger, images: Tensor, seed: int = 0) -> Additive:
    """Return a random additive pattern that is as large as a trigger.

    Of an additive pattern its values are taken, at shuffled places and with random signs; of any other trigger the same
    pixels, with random signs and one absolute value. Either is scaled until it changes these images by as much, in mean
    L2, as the trigger does: what counts is what is left once pixels are cut to [0, 1]. No pixel changes by more than 1,
    so beside the largest triggers it may stay smaller.

    Parameters
    ----------
    trigger
        What it has to be as large as.
    images
        Float [N, C, H, W] in [0, 1], on which both are as large.
    seed
        Decides places and signs.
    """
    import torch

    random = np.random.default_rng([seed, 0x3A2D])
    shape = tuple(images.shape[1:])
    if isinstance(trigger, Additive):
        values = _shuffled(trigger.pattern(shape), random)
    else:
        values = (random.choice([-1.0, 1.0], shape) * trigger.covers(shape)).astype(np.float32)
    scale = _scale(torch.from_numpy(values), images.cpu(), _mean_norm(trigger.apply(images) - images))
    return Additive.from_pattern(np.clip(scale * values, -1, 1).astype(np.float32), "random")


def _scale(values: Tensor, images: Tensor, norm: float) -> float:
    """Return by what to multiply a pattern so that it changes images by so much in mean L2, or a pixel by up to 1."""
    low, high = 0.0, 1 / max(float(values.abs().max()), 1e-6)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        changed = (images + middle * values).clamp(0, 1) - images
        low, high = (middle, high) if _mean_norm(changed) < norm else (low, middle)
    return high


def _mean_norm(changes: Tensor) -> float:
    return float(changes.flatten(1).norm(dim=1).mean())


def random_images_like(changed: Tensor, images: Tensor, seed: int = 0) -> Tensor:
    """Return images with random changes as large as those of `changed`: each image's own, shuffled, random signs.

    Clipped to [0, 1] in the end, which may make a change smaller, never larger.
    """
    import torch

    random = np.random.default_rng([seed, 0x3A2E])
    changes = (changed - images).cpu().numpy()
    shuffled = np.stack([_shuffled(change, random) for change in changes])
    return (images.cpu() + torch.from_numpy(shuffled)).clamp(0, 1)


def _shuffled(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    flat = random.permutation(values.ravel()) * random.choice(np.array([-1, 1], values.dtype), values.size)
    return flat.reshape(values.shape)
