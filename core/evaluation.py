"""Clean accuracy and attack success rate, with their denominators and intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.statistics import Proportion, binomial_interval

if TYPE_CHECKING:
    from torch import Tensor

    from core.datasets import Split
    from core.predictor import Predictor
    from core.triggers import Trigger


def to_unit(images: Tensor) -> Tensor:
    """Return uint8 images as float32 in [0, 1]."""
    return images.float() / 255


def clean_accuracy(predictor: Predictor, split: Split) -> Proportion:
    """Return the share of unmodified images whose predicted class is the true one."""
    hits = predictor.labels(to_unit(split.images)).cpu() == split.labels
    return binomial_interval(int(hits.sum()), len(hits))


def attack_success_rate(predictor: Predictor, split: Split, trigger: Trigger, target: int) -> Proportion:
    """Return the all-to-one attack success rate (ASR).

    Images that belong to the target class already are left out: of all others, with the trigger on them, the share
    that is predicted as the target. It says nothing about clean accuracy, and clean accuracy nothing about it.
    """
    others = split.images[split.labels != target]
    hits = predictor.labels(trigger.apply(to_unit(others))).cpu() == target
    return binomial_interval(int(hits.sum()), len(hits))


def choose_images(split: Split, target: int, count: int, seed: int) -> np.ndarray:
    """Return indices of the test images that W is measured on: the first `count` by seeded order outside the target.

    A larger count extends a smaller one. Fewer come back where there are fewer.
    """
    order = np.random.default_rng([seed, 0x1A6E]).permutation(len(split.labels))
    return order[split.labels.numpy()[order] != target][:count]
