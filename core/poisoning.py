"""Which training images get the trigger, and which label they get."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.errors import InputError
from core.models import architecture_names
from core.spec import RunSpec

if TYPE_CHECKING:
    from core.datasets import Dataset, Split
    from core.triggers import Trigger


def poisoned_count(rate: float, total: int) -> int:
    """Return how many of `total` training images a poisoning rate means: rounded, and at least 1 above rate 0."""
    if not 0 <= rate < 1:
        raise InputError(
            f"The poisoning rate is a share of the training images, from 0 up to but not including 1; got {rate:g}."
        )
    return max(1, round(rate * total)) if rate > 0 else 0


def choose_poisoned(labels: np.ndarray, rate: float, target: int, seed: int) -> np.ndarray:
    """Return the sorted indices of the training images that an all-to-one attack poisons.

    They are drawn without replacement, by seed, from the images that do not belong to the target class already.

    Parameters
    ----------
    labels
        int [N], true classes of the training images.
    rate
        Poisoned images / all N training images, in [0, 1).
    target
        The class that the attacker wants.
    seed
        Decides which images.

    Raises
    ------
    InputError
        The rate lies outside [0, 1) or asks for more images than are eligible.
    """
    count = poisoned_count(rate, len(labels))
    eligible = np.nonzero(np.asarray(labels) != target)[0]
    if count > len(eligible):
        raise InputError(
            f"A rate of {rate:g} means {count} poisoned images, but only {len(eligible)} of the {len(labels)} training "
            f"images lie outside the target class: choose a rate of at most {len(eligible) / len(labels):.3f}."
        )
    return np.sort(np.random.default_rng([seed, 0x9015]).choice(eligible, count, replace=False))


def check_attack(spec: RunSpec, dataset: Dataset) -> None:
    """Raise InputError if this spec's attack cannot be carried out on this data set."""
    if spec.architecture not in architecture_names():
        raise InputError(
            f"There is no architecture called {spec.architecture!r}; choose one of: {', '.join(architecture_names())}."
        )
    if spec.fingerprint and spec.fingerprint != dataset.fingerprint:
        raise InputError(
            f"The data set {spec.dataset} has changed since this run was named (then {spec.fingerprint}, now "
            f"{dataset.fingerprint}): start a new run."
        )
    if spec.trigger is not None and spec.target is not None:
        check_target(spec.target, dataset)
        spec.trigger.check_fits(dataset.shape)
        choose_poisoned(dataset.train.labels.numpy(), spec.rate, spec.target, spec.seed)


def check_target(target: int, dataset: Dataset) -> None:
    """Raise InputError unless the target is one of the data set's classes."""
    if not 0 <= target < len(dataset.classes):
        names = ", ".join(f"{number} {name}" for number, name in enumerate(dataset.classes[:12]))
        raise InputError(
            f"The target {target} is not a class of {dataset.name}, which has the classes 0 to "
            f"{len(dataset.classes) - 1} ({names}{', …' if len(dataset.classes) > 12 else ''}): choose one of these."
        )


def poison(split: Split, trigger: Trigger, target: int, rate: float, seed: int) -> tuple[Split, np.ndarray]:
    """Return a poisoned copy of a training split and the indices of its poisoned images (all-to-one).

    The chosen images carry the trigger and the target's label; everything else is as it was.
    """
    import torch

    from core.datasets import Split

    chosen = torch.from_numpy(choose_poisoned(split.labels.numpy(), rate, target, seed))
    images, labels = split.images.clone(), split.labels.clone()
    images[chosen] = trigger.apply(split.images[chosen])
    labels[chosen] = target
    return Split(images, labels), chosen.numpy()
