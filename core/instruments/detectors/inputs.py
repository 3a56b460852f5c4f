"""Which images detectors are compared on: the same for all of them, and none in two groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.attacks.attack import Attack
from core.datasets.dataset import to_unit
from core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from core.datasets import Dataset

# Clean images that the defender keeps: for thresholds, STRIP's overlays and PSBD's dropout rate.
_HELD_OUT = 100


@dataclass(frozen=True, eq=False)
class Inputs:
    """Four groups of test images, float [N, C, H, W] in [0, 1]. No image is in two of them, with or without trigger.

    Attributes
    ----------
    held_out
        Clean, of all classes: the defender's own.
    other
        Clean, outside the target class.
    target
        Clean, of the target class; empty for all-to-all, which has none.
    triggered
        Images that the attack is about, with its trigger on.
    """

    held_out: Tensor
    other: Tensor
    target: Tensor
    triggered: Tensor


def choose_inputs(dataset: Dataset, attack: Attack, count: int, seed: int) -> Inputs:
    """Return up to `count` images a group, by seeded order; the last three groups share what the first leaves.

    Raises
    ------
    InputError
        The test split has too few images for every group to have one.
    """
    labels = dataset.test.labels.numpy()
    order = np.random.default_rng([seed, 0xDE7EC7]).permutation(len(labels))
    kept = min(_HELD_OUT, len(order) // 4)
    held_out, rest = order[:kept], order[kept:]
    is_target = labels[rest] == (-1 if attack.target is None else attack.target)
    attacked = rest[attack.attacks(labels[rest])]
    triggered = attacked[: min(count, len(attacked) // 2)]
    other = np.setdiff1d(rest[~is_target], triggered, assume_unique=True)
    other = rest[np.isin(rest, other)][:count]
    if not (kept and len(triggered) and len(other)):
        raise InputError(
            f"The test split of {dataset.name} has {len(labels)} images, too few to compare detectors on: choose a "
            "larger data set."
        )
    images = dataset.test.images
    return Inputs(
        held_out=to_unit(images[held_out]),
        other=to_unit(images[other]),
        target=to_unit(images[rest[is_target][:count]]),
        triggered=attack.apply(to_unit(images[triggered]), triggered, seed=seed),
    )
