"""Clean accuracy and attack success rate, with their denominators and intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.datasets.dataset import to_unit
from core.instruments.statistics import Estimate, binomial_interval

if TYPE_CHECKING:
    from jaxtyping import Bool, Int64

    from core.attacks.attack import Attack
    from core.attacks.triggers import AnyTrigger
    from core.datasets import Split
    from core.instruments.predictor import Predictor


@dataclass(frozen=True)
class Success:
    """What an attack reaches on a test split with the trigger on every image.

    Attributes
    ----------
    rate
        The attack success rate (ASR) as its mode defines it, see `core.attacks.attack.MODES`; None where no
        image is attacked.
    others
        Source-specific only: of the images that belong neither to a source nor to the target, the share taken for the
        target all the same. Low means that the attack keeps to its sources.
    """

    rate: Estimate | None
    others: Estimate | None = None


def clean_accuracy(predictor: Predictor, split: Split) -> Estimate:
    """Return the share of unmodified images whose predicted class is the true one."""
    hits = predictor.labels(to_unit(split.images)).cpu() == split.labels
    return binomial_interval(int(hits.sum()), len(hits))


def attack_success(predictor: Predictor, split: Split, attack: Attack, classes: int, seed: int = 0) -> Success:
    """Return how often an attack gets what it wants on a test split; `classes` is K, `seed` decides random places.

    It says nothing about clean accuracy, and clean accuracy nothing about it.
    """
    true = split.labels.numpy()
    rate = _share_taken(predictor, split, attack, attack.attacks(true), classes, seed)
    if attack.mode != "source-specific":
        return Success(rate)
    return Success(rate, _share_taken(predictor, split, attack, attack.spares(true), classes, seed))


def _share_taken(
    predictor: Predictor, split: Split, attack: Attack, which: Bool[np.ndarray, " N"], classes: int, seed: int
) -> Estimate | None:
    """Return the share of some images, bool [N], that is predicted as the attacker wants, with the trigger on."""
    keys = np.nonzero(which)[0]
    if not len(keys):
        return None
    predicted = predictor.labels(attack.apply(to_unit(split.images[keys]), keys, seed=seed)).cpu().numpy()
    hits = predicted == attack.goal(split.labels.numpy()[keys], classes)
    return binomial_interval(int(hits.sum()), len(hits))


def attack_success_steps(
    predictor: Predictor, split: Split, attack: Attack, classes: int, seed: int = 0, batch: int = 256
) -> Iterator[Success]:
    """Yield `attack_success` on ever more images by seeded order, in the end on all; `others` comes with the last.

    Parameters
    ----------
    predictor, split, attack, classes, seed
        As in `attack_success`.
    batch
        Images a step.
    """
    order = _first_of(attack.attacks(split.labels.numpy()), len(split), seed)
    hits = 0
    for start in range(0, len(order), batch):
        keys = np.sort(order[start : start + batch])
        on = attack.apply(to_unit(split.images[keys]), keys, seed=seed)
        predicted = predictor.labels(on).cpu().numpy()
        hits += int((predicted == attack.goal(split.labels.numpy()[keys], classes)).sum())
        yield Success(binomial_interval(hits, min(start + batch, len(order))))
    if not len(order) or attack.mode == "source-specific":
        yield attack_success(predictor, split, attack, classes, seed)


def attack_success_rate(predictor: Predictor, split: Split, trigger: AnyTrigger, target: int) -> Estimate | None:
    """Return the all-to-one attack success rate (ASR).

    Images that belong to the target class already are left out: of all others, with the trigger on them, the share
    that is predicted as the target.
    """
    from core.attacks.attack import Attack

    return attack_success(predictor, split, Attack(trigger=trigger, target=target), classes=target + 1).rate


def choose_images(split: Split, target: int, count: int, seed: int) -> Int64[np.ndarray, " M"]:
    """Return indices of test images: the first `count` by seeded order outside one class; -1 leaves none out.

    A larger count extends a smaller one. Fewer come back where there are fewer.
    """
    return _first_of(split.labels.numpy() != target, count, seed)


def choose_attacked(split: Split, attack: Attack, count: int, seed: int) -> Int64[np.ndarray, " M"]:
    """Return indices of the test images that W is measured on: the first `count` by seeded order that it attacks.

    All-to-one and clean-label: outside the target class. Source-specific: of the source classes. All-to-all: any.
    """
    return _first_of(attack.attacks(split.labels.numpy()), count, seed)


def _first_of(eligible: Bool[np.ndarray, " N"], count: int, seed: int) -> Int64[np.ndarray, " M"]:
    order = np.random.default_rng([seed, 0x1A6E]).permutation(len(eligible))
    return order[eligible[order]][:count]
