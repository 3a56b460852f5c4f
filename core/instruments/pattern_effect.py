"""What a pattern does to W: the same images without and with it, paired by common noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.instruments.estimators import gap_interval_monte_carlo, gap_interval_sampling, mean_interval_sampling
from core.instruments.statistics import EffectSize, Interval, Proportion, binomial_interval, probability_lower

if TYPE_CHECKING:
    from torch import Tensor

    from core.instruments.predictor import Predictor
    from core.instruments.smoothness import Smoothness


@dataclass(frozen=True)
class Effect:
    """W of test images without and with a pattern. No verdict: one model, one sigma.

    Attributes
    ----------
    name
        What was put on the images.
    images, sigma, draws, seed
        How many images; the noise.
    w_clean, w_with
        Mean W with the interval for more images.
    gap, gap_monte_carlo
        Mean of W clean minus W with the pattern: with the interval for more images, and for more draws. Above 0 means
        smoother with the pattern.
    p_lower
        Share of images whose W is lower with the pattern, ties counted half.
    modal_class, modal_share, modal_share_clean
        The class with most noisy votes with the pattern, its share of them, and its share without the pattern. A large
        share says *how* a pattern smooths: by moving all images into one class.
    changed
        Share of images whose class without noise is another one with the pattern.
    l2, linf
        Mean L2 norm of what the pattern changes, after clipping, and the largest change of any pixel.
    """

    name: str
    images: int
    sigma: float
    draws: int
    seed: int
    w_clean: Interval
    w_with: Interval
    gap: Interval
    gap_monte_carlo: Interval
    p_lower: EffectSize
    modal_class: int
    modal_share: float
    modal_share_clean: float
    changed: Proportion
    l2: float
    linf: float


class PatternBench:
    """Some test images of one model, whose clean votes are counted once for every pattern that is put on them.

    Parameters
    ----------
    predictor
        The model.
    images
        Float [N, C, H, W] in [0, 1].
    keys
        int [N], the images' places in their split: they name the noise.
    sigma, draws, seed
        As in `core.instruments.smoothness.measure_smoothness`.
    """

    def __init__(
        self, predictor: Predictor, images: Tensor, keys: np.ndarray, sigma: float, draws: int = 100, seed: int = 0
    ) -> None:
        from core.instruments.smoothness import measure_smoothness

        self.predictor, self.images, self.keys = predictor, images, keys
        self.clean = measure_smoothness(predictor, images, sigma, draws, seed, keys=keys.tolist())
        self.labels = predictor.labels(images)

    def effect(self, name: str, changed: Tensor) -> Effect:
        """Return what it does that the images become `changed`, float [N, C, H, W] in the same order."""
        from core.instruments.smoothness import measure_smoothness

        clean = self.clean
        with_it = measure_smoothness(
            self.predictor, changed, clean.sigma, clean.draws, clean.seed, keys=self.keys.tolist()
        )
        moved = int((self.predictor.labels(changed) != self.labels).sum())
        change = (changed - self.images).flatten(1)
        modal = int(with_it.votes.sum(0).argmax())
        return Effect(
            name=name,
            images=len(self.images),
            sigma=clean.sigma,
            draws=clean.draws,
            seed=clean.seed,
            w_clean=mean_interval_sampling(clean.w),
            w_with=mean_interval_sampling(with_it.w),
            gap=gap_interval_sampling(clean.w, with_it.w),
            gap_monte_carlo=gap_interval_monte_carlo(clean.votes, with_it.votes),
            p_lower=probability_lower(with_it.w, clean.w),
            modal_class=modal,
            modal_share=_share(with_it, modal),
            modal_share_clean=_share(clean, modal),
            changed=binomial_interval(moved, len(self.images)),
            l2=float(change.norm(dim=1).mean()),
            linf=float(change.abs().max()),
        )


def _share(measured: Smoothness, label: int) -> float:
    return float(measured.votes[:, label].sum() / measured.votes.sum())
