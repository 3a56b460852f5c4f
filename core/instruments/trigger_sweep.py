"""W over sigma under several triggers: one trained model, the same test images and noise, another picture on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import add
from typing import TYPE_CHECKING

import numpy as np

from core.drawing import Drawn
from core.instruments.budgets import PAGE
from core.instruments.noise import Noise
from core.instruments.smoothness import Pair, Smoothness, measure
from core.instruments.statistics import Estimate

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.attack import Attack
    from core.instruments.predictor import Predictor

_STEPS = (16, 48)


@dataclass(frozen=True, eq=False)
class TriggerSweep(Drawn):
    """Votes over sigma without a trigger and under each of several, with the same noise throughout.

    Attributes
    ----------
    sigmas
        Ascending.
    clean
        The images as they are, at each sigma.
    triggered
        Name of a trigger -> the images with it, at each sigma.
    asr
        Name of a trigger -> share of these images that are predicted as the attacker wants, without noise.
    draws, seed
        The noise.
    """

    sigmas: tuple[float, ...]
    clean: tuple[Smoothness, ...]
    triggered: Mapping[str, tuple[Smoothness, ...]]
    asr: Mapping[str, float]
    draws: int
    seed: int

    def mean(self, name: str | None = None) -> list[Estimate]:
        """Return mean W at each sigma under a trigger, by default without one, with the interval for more images."""
        return [measured.mean for measured in (self.clean if name is None else self.triggered[name])]

    def gap(self, name: str) -> list[Estimate]:
        """Return the mean of W clean minus W under a trigger at each sigma, with the interval for more images."""
        return [Pair(*pair).gap for pair in zip(self.clean, self.triggered[name], strict=True)]


def trigger_sweep_steps(
    predictor: Predictor,
    images: Tensor,
    keys: Sequence[int],
    attacks: Mapping[str, Attack],
    goals: np.ndarray,
    sigmas: Sequence[float],
    draws: int = PAGE.draws,
    seed: int = 0,
) -> Iterator[TriggerSweep]:
    """Yield W over sigma under several triggers after 16 draws, 48, and all; nothing is counted twice.

    Parameters
    ----------
    predictor
        The model.
    images
        float [N, C, H, W] in [0, 1].
    keys
        N whole numbers that name the images' noise: their places in the test split.
    attacks
        What people call each trigger -> the attack with it.
    goals
        int64 [N], the class that the attacker wants each image to be taken for.
    sigmas, draws, seed
        The noise, as in `core.instruments.smoothness.measure_smoothness`; the seed decides random places too.
    """
    stamped = {name: attack.apply(images, np.asarray(keys), seed=seed) for name, attack in attacks.items()}
    asr = {name: float((predictor.labels(on).numpy() == goals).mean()) for name, on in stamped.items()}
    noises = [Noise(sigma, draws, seed, keys) for sigma in sigmas]
    versions = {None: images} | stamped
    measured: dict[str | None, tuple[Smoothness, ...]] = {}
    for first, until in pairwise([0, *(step for step in _STEPS if step < draws), draws]):
        for name, pictures in versions.items():
            more = [measure(predictor, pictures, noise.part(first, until)) for noise in noises]
            measured[name] = tuple(map(add, measured[name], more)) if first else tuple(more)
        triggered = {name: measured[name] for name in stamped}
        yield TriggerSweep(tuple(sigmas), measured[None], triggered, asr, until, seed)
