"""W over sigma under several triggers: one trained model, the same test images and noise, another picture on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.instruments.estimators import Interval, entropy, gap_interval_sampling, mean_interval_sampling

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.attack import Attack
    from core.instruments.predictor import Predictor

_STEPS = (16, 48)


@dataclass(frozen=True, eq=False)
class TriggerSweep:
    """Votes over sigma without a trigger and under each of several, with the same noise throughout.

    Attributes
    ----------
    sigmas
        Ascending.
    clean
        int64 [S, N, K], votes on the images as they are.
    triggered
        Name of a trigger -> int64 [S, N, K], votes with it on the images.
    asr
        Name of a trigger -> share of these images that is taken for what the attacker wants, without noise.
    draws, seed
        The noise.
    """

    sigmas: tuple[float, ...]
    clean: np.ndarray
    triggered: Mapping[str, np.ndarray]
    asr: Mapping[str, float]
    draws: int
    seed: int

    def mean(self, name: str | None = None) -> list[Interval]:
        """Return mean W at each sigma under a trigger, by default without one, with the interval for more images."""
        return [mean_interval_sampling(entropy(votes)) for votes in self._votes(name)]

    def gap(self, name: str) -> list[Interval]:
        """Return the mean of W clean minus W under a trigger at each sigma, with the interval for more images."""
        pairs = zip(self.clean, self._votes(name), strict=True)
        return [gap_interval_sampling(entropy(clean), entropy(triggered)) for clean, triggered in pairs]

    def _votes(self, name: str | None) -> np.ndarray:
        return self.clean if name is None else self.triggered[name]


def trigger_sweep_steps(
    predictor: Predictor,
    images: Tensor,
    keys: Sequence[int],
    attacks: Mapping[str, Attack],
    goals: np.ndarray,
    sigmas: Sequence[float],
    draws: int = 100,
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
    clean = np.zeros(0, np.int64)
    votes = dict.fromkeys(stamped, clean)
    done = 0
    for until in [*(step for step in _STEPS if step < draws), draws]:

        def more(on: Tensor, first: int = done, until: int = until) -> np.ndarray:
            votes = (predictor.votes(on, keys, sigma, until - first, seed, first=first) for sigma in sigmas)
            return np.stack([each.numpy() for each in votes])

        clean = more(images) + (clean if done else 0)
        votes = {name: more(on) + (votes[name] if done else 0) for name, on in stamped.items()}
        done = until
        yield TriggerSweep(tuple(sigmas), clean, votes, asr, done, seed)
