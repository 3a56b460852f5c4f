"""A pattern that is crafted to make a model smooth: it lowers W without any poisoned training image.

That such patterns exist is said in version 3 of Grosse et al., Backdoor Smoothing, arXiv 2006.06721; how theirs are
made was not at hand. This is our own way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.attacks.patterns.bounded import bounded_additive
from core.attacks.patterns.descent import Frozen, Model, descend, frozen
from core.attacks.patterns.losses import target_loss
from core.attacks.patterns.step import Step
from core.device import torch_threads
from core.errors import InputError

# Images and noise draws of each: in one step, and of the set that the best pattern is chosen on.
_BATCH, _DRAWS = 16, 8
_JUDGED, _JUDGED_DRAWS = 48, 8
# From nothing the entropy alone ends in a poor valley: its slopes for single images cancel. So it starts from patterns
# that pull every image towards one class, tried for as many classes as this, those that most noise falls into.
_CLASSES = 3


def craft_smooth(
    model: Model, images: Tensor, sigma: float, bound: float = 0.3, steps: int = 150, seed: int = 0
) -> Iterator[Step]:
    """Look for one additive pattern, max |pattern| <= bound, that makes W low on whatever image it is put.

    W counts hard votes and has no gradient. What is lowered instead is the entropy of the *softmax averaged over noise
    draws*, divided by log K: it differs from W only where the softmax is not one-hot. `Step.loss` is that on images
    and noise that do not change from step to step.

    Half of the steps pull noisy images towards one class, for each of the three that most noise falls into in turn; the
    other half lower the entropy, from the best of these patterns on.

    Parameters
    ----------
    model
        From images [N, C, H, W] to logits [N, K]; copied, never changed.
    images
        Float [N, C, H, W] in [0, 1]: training images. Test images would make the result look better than it is.
    sigma
        Standard deviation of the noise that W is to be low at.
    bound
        Largest absolute change of a pixel.
    steps
        Sign steps in all, at least 6, each on 16 images with 8 draws.
    seed
        Decides images and noise.
    """
    if not (math.isfinite(sigma) and sigma > 0):
        raise InputError(f"Sigma is {sigma}; it must be a finite number above 0, in units of pixels in [0, 1].")
    if steps < 2 * _CLASSES:
        raise InputError(f"A crafted pattern takes at least {2 * _CLASSES} steps; got {steps}.")
    bench = _Bench.make(model, images, sigma, seed)
    best = _Best(float("inf"), torch.zeros(images.shape[1:], device=bench.net.device))
    pulls = steps // (2 * _CLASSES)
    shares = bench.clean_shares()
    stages: list[tuple[int | None, int]] = [
        (int(label), pulls) for label in shares.topk(min(_CLASSES, len(shares))).indices
    ]
    stages.append((None, steps - pulls * len(stages)))
    done = 0
    for target, count in stages:
        start = torch.zeros_like(best.pattern) if target is not None else best.pattern
        for share, value, pattern in descend(bench.loss(target), bench.judge, start, bound, count):
            best = best if best.value <= value else _Best(value, pattern)
            found = bounded_additive(best.pattern, bound, "crafted smooth")
            yield Step((done + share * count) / steps, best.value, found)
        done += count


def averaged_entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy of each image's softmax averaged over its draws, divided by log K: float [N, draws, K] to [N].

    The average comes first: the mean of the draws' own entropies would call a model smooth whose answers are each
    sure of another class.
    """
    shares = probabilities.mean(1)
    return torch.special.entr(shares).sum(1) / math.log(shares.shape[1])


@dataclass(frozen=True)
class _Best:
    value: float
    pattern: Tensor


@dataclass(frozen=True)
class _Bench:
    """The model, the images to learn from, and the images and noise that patterns are judged on."""

    net: Frozen
    pool: Tensor
    sigma: float
    generator: torch.Generator
    judged: Tensor
    judged_noise: Tensor

    @classmethod
    def make(cls, model: Model, images: Tensor, sigma: float, seed: int) -> _Bench:
        net, generator = frozen(model), torch.Generator().manual_seed(seed)
        pool = images.detach().float()
        judged = pool[torch.randperm(len(pool), generator=generator)[:_JUDGED]]
        bench = cls(net, pool, sigma, generator, judged.to(net.device), torch.zeros(0))
        return replace(bench, judged_noise=bench.noise(len(judged), _JUDGED_DRAWS))

    def noise(self, count: int, draws: int) -> Tensor:
        drawn = torch.randn(count, draws, *self.pool.shape[1:], generator=self.generator)
        return self.sigma * drawn.to(self.net.device)

    def logits(self, images: Tensor, pattern: Tensor, noise: Tensor) -> Tensor:
        """Return logits [N, draws, K]."""
        noisy = ((images + pattern).clamp(0, 1)[:, None] + noise).flatten(0, 1)
        return self.net.logits(noisy.contiguous(memory_format=torch.channels_last)).unflatten(0, noise.shape[:2])

    def loss(self, target: int | None) -> Callable[[Tensor], Tensor]:
        """Return what is lowered: the distance from a class under noise, or the entropy where there is no target."""

        def of(pattern: Tensor) -> Tensor:
            chosen = torch.randint(len(self.pool), (_BATCH,), generator=self.generator)
            logits = self.logits(self.pool[chosen].to(self.net.device), pattern, self.noise(_BATCH, _DRAWS))
            if target is not None:
                return target_loss(logits.flatten(0, 1), target).mean()
            return averaged_entropy(logits.softmax(2)).mean()

        return of

    def judge(self, pattern: Tensor) -> Tensor:
        logits = self.logits(self.judged, pattern, self.judged_noise)
        return averaged_entropy(logits.softmax(2)).mean()

    def clean_shares(self) -> Tensor:
        """Return the mean softmax under noise without any pattern, float [K]."""
        with torch.no_grad(), torch_threads(1):
            nothing = torch.zeros(self.pool.shape[1:], device=self.net.device)
            return self.logits(self.judged, nothing, self.judged_noise).softmax(2).mean((0, 1))
