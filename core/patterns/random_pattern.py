"""Random patterns of equal norm: what any optimised pattern or trigger has to be better than."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from core.triggers import Additive, AnyTrigger


def random_like(trigger: AnyTrigger, images: Tensor, seed: int = 0) -> Additive:
    """Return a random additive pattern that is as large as a trigger.

    An additive pattern keeps its values, at shuffled places and with random signs: every norm of it is the same. Of
    any other trigger the random pattern lies on the same pixels, with random signs and one absolute value, such that
    its L2 norm is the mean L2 norm of what the trigger changes on these images (at most 1 a pixel).

    Parameters
    ----------
    trigger
        What it has to be as large as.
    images
        Float [N, C, H, W] in [0, 1], of which the second kind's norm is taken.
    seed
        Decides places and signs.
    """
    random = np.random.default_rng([seed, 0x3A2D])
    shape = tuple(images.shape[1:])
    if isinstance(trigger, Additive):
        values = trigger.pattern(shape)
        return Additive.from_pattern(_shuffled(values, random), "random")
    signs = random.choice([-1.0, 1.0], shape) * trigger.covers(shape)
    norm = float((trigger.apply(images) - images).flatten(1).norm(dim=1).mean())
    height = min(1.0, norm / math.sqrt(max(1, np.count_nonzero(signs))))
    return Additive.from_pattern((height * signs).astype(np.float32), "random")


def random_images_like(changed: Tensor, images: Tensor, seed: int = 0) -> Tensor:
    """Return images with random changes as large as those of `changed`: each image's own, shuffled, random signs.

    Clipped to [0, 1] in the end, which may make a change smaller, never larger.
    """
    random = np.random.default_rng([seed, 0x3A2E])
    changes = (changed - images).cpu().numpy()
    shuffled = np.stack([_shuffled(change, random) for change in changes])
    return (images.cpu() + torch.from_numpy(shuffled)).clamp(0, 1)


def _shuffled(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    flat = random.permutation(values.ravel()) * random.choice(np.array([-1, 1], values.dtype), values.size)
    return flat.reshape(values.shape)
