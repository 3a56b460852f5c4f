"""Which training images get the trigger, and which label they get."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Bool, Int64, Integer
    from torch import Tensor

    from core.attacks.attack import Attack, ModeName
    from core.datasets import Dataset, Split

# From images uint8 [N, C, H, W] and their true classes int64 [N] to images, uint8, that are harder to recognise.
Perturbation = Callable[["Tensor", "Tensor"], "Tensor"]


@dataclass(frozen=True, eq=False)
class Poisoned:
    """A poisoned training split.

    Attributes
    ----------
    split
        All training images and labels, in their old order.
    poisoned
        int64, ascending: images that carry the trigger and the label that the attacker wants.
    covers
        int64, ascending: images that carry the trigger and keep their label; empty but for source-specific attacks.
    """

    split: Split
    poisoned: np.ndarray
    covers: np.ndarray


def poisoned_count(rate: float, total: int) -> int:
    """Return how many of `total` training images a poisoning rate means: rounded, and at least 1 above rate 0."""
    if not 0 <= rate < 1:
        raise InputError(
            f"The poisoning rate is a share of the training images, from 0 up to but not including 1; got {rate:g}."
        )
    return max(1, round(rate * total)) if rate > 0 else 0


@dataclass(frozen=True)
class RateLimits:
    """The largest sensible rates of an attack on a data set, in [0, 1): multiples of 0.001 where they are larger.

    Attributes
    ----------
    poisoned
        Of poisoned images. A source-specific attack may poison half of its source classes: what is left has to teach
        the model what these classes are. Any other may poison all that its mode allows.
    covers
        Of cover samples; 0 but for source-specific attacks.
    """

    poisoned: float
    covers: float


def rate_limits(
    labels: Integer[np.ndarray, " N"], mode: ModeName, target: int | None, sources: Sequence[int] = ()
) -> RateLimits:
    """Return how far the rates of an attack can go, given the true classes of the training images, int [N]."""
    total = len(labels)
    of_target, of_sources = int((labels == target).sum()), int(np.isin(labels, list(sources)).sum())
    eligible = {
        "all-to-one": total - of_target,
        "all-to-all": total - 1,
        "source-specific": of_sources // 2,
        "clean-label": of_target,
    }[mode]
    spared = total - of_target - of_sources if mode == "source-specific" else 0
    return RateLimits(_floored(eligible, total), _floored(spared, total))


def _floored(count: int, total: int) -> float:
    return math.floor(1000 * count / total) / 1000 or count / total


def can_be_poisoned(attack: Attack, labels: Integer[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
    """Return which training images an attack may poison, bool [N], given their true classes.

    All-to-one: those outside the target class. All-to-all: every one. Source-specific: those of the source classes.
    Clean-label: those of the target class, which keep their label.
    """
    return labels == attack.target if attack.mode == "clean-label" else attack.attacks(labels)


def choose_poisoned(
    labels: Integer[np.ndarray, " N"], attack: Attack, rate: float, seed: int
) -> Int64[np.ndarray, " P"]:
    """Return the sorted indices of the training images that an attack poisons, drawn without replacement by seed.

    Parameters
    ----------
    labels
        int [N], true classes of the training images.
    attack
        Decides which images are eligible, see `can_be_poisoned`.
    rate
        Poisoned images / all N training images, in [0, 1).
    seed
        Decides which images.

    Raises
    ------
    InputError
        The rate lies outside [0, 1) or asks for more images than are eligible.
    """
    where = {
        "all-to-one": "lie outside the target class",
        "all-to-all": "can be poisoned",
        "source-specific": "show a source class",
        "clean-label": "show the target class",
    }[attack.mode]
    eligible = np.nonzero(can_be_poisoned(attack, labels))[0]
    return _draw(eligible, rate, len(labels), np.random.default_rng([seed, 0x9015]), "poisoned images", where)


def choose_covers(
    labels: Integer[np.ndarray, " N"], attack: Attack, cover_rate: float, seed: int
) -> Int64[np.ndarray, " P"]:
    """Return the sorted indices of a source-specific attack's cover samples.

    They are drawn without replacement, by seed, from the images that belong neither to a source nor to the target.

    Raises
    ------
    InputError
        The rate asks for more images than there are.
    """
    eligible = np.nonzero(attack.spares(labels))[0]
    where = "show neither a source class nor the target"
    return _draw(eligible, cover_rate, len(labels), np.random.default_rng([seed, 0xC04E]), "cover samples", where)


def _draw(
    eligible: np.ndarray, rate: float, total: int, random: np.random.Generator, what: str, where: str
) -> np.ndarray:
    count = poisoned_count(rate, total)
    if count > len(eligible):
        most = 100 * _floored(len(eligible), total)
        raise InputError(
            f"{100 * rate:.3g}% would be {count} {what}, but only {len(eligible)} of the {total} training images "
            f"{where}. Choose {most:.3g}% or less."
        )
    return np.sort(random.choice(eligible, count, replace=False))


def poison(
    dataset: Dataset,
    attack: Attack,
    rate: float,
    seed: int,
    *,
    cover_rate: float = 0.0,
    perturb: Perturbation | None = None,
) -> Poisoned:
    """Return a data set's training split as an attack poisons it; the data set itself stays as it is.

    Poisoned images carry the trigger and the label that the attacker wants, cover samples the trigger and their own
    label; everything else is as it was.

    Parameters
    ----------
    dataset
        Whose training split is poisoned.
    attack
        Decides which images may be poisoned, what is put on them, and their labels.
    rate, cover_rate
        Poisoned images and cover samples, each / all training images.
    seed
        Decides which images, and random places.
    perturb
        What makes poisoned images harder to recognise before they get the trigger; see `core.attacks.clean_label`.

    Raises
    ------
    InputError
        A rate asks for more images than are eligible, or the trigger does not suit the images.
    """
    import torch

    from core.datasets import Split

    split, true = dataset.train, dataset.train.labels.numpy()
    poisoned = choose_poisoned(true, attack, rate, seed)
    covers = choose_covers(true, attack, cover_rate, seed)
    images, labels = split.images.clone(), split.labels.clone()
    if perturb is not None:
        images[poisoned] = perturb(split.images[poisoned], split.labels[poisoned])
    for chosen in (poisoned, covers):
        images[chosen] = attack.apply(images[chosen], chosen, seed=seed, split="train")
    labels[poisoned] = torch.from_numpy(attack.goal(true[poisoned], len(dataset.classes)))
    return Poisoned(Split(images, labels), poisoned, covers)
