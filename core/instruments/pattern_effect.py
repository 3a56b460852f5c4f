"""What a pattern does to W: the same images without and with it, paired by common noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.instruments.noise import Noise
from core.instruments.smoothness import Pair, measure
from core.instruments.statistics import Estimate, binomial_interval

if TYPE_CHECKING:
    from torch import Tensor

    from core.instruments.predictor import Predictor


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
    w_clean: Estimate
    w_with: Estimate
    gap: Estimate
    gap_monte_carlo: Estimate
    p_lower: Estimate
    modal_class: int
    modal_share: float
    modal_share_clean: float
    changed: Estimate
    l2: float
    linf: float


class PatternBench:
    """Some test images of one model, whose clean votes are counted once for every pattern that is put on them.

    Parameters
    ----------
    predictor, images
        The model, and float [N, C, H, W] in [0, 1].
    noise
        Its keys are the images' places in their split; its draws a number.
    """

    def __init__(self, predictor: Predictor, images: Tensor, noise: Noise) -> None:
        self.predictor, self.images, self.noise = predictor, images, noise
        self.clean = measure(predictor, images, noise)
        self.labels = predictor.labels(images)

    def effect(self, name: str, changed: Tensor) -> Effect:
        """Return what it does that the images become `changed`, float [N, C, H, W] in the same order."""
        pair = Pair(self.clean, measure(self.predictor, changed, self.noise))
        moved = int((self.predictor.labels(changed) != self.labels).sum())
        change = (changed - self.images).flatten(1)
        modal = pair.triggered.pooled_class
        return Effect(
            name=name,
            images=len(self.images),
            sigma=self.noise.sigma,
            draws=int(self.clean.draws[0]),
            seed=self.noise.seed,
            w_clean=pair.clean.mean,
            w_with=pair.triggered.mean,
            gap=pair.gap,
            gap_monte_carlo=pair.gap_monte_carlo,
            p_lower=pair.p_lower,
            modal_class=modal,
            modal_share=pair.triggered.pooled_share(modal),
            modal_share_clean=pair.clean.pooled_share(modal),
            changed=binomial_interval(moved, len(self.images)),
            l2=float(change.norm(dim=1).mean()),
            linf=float(change.abs().max()),
        )
