"""Adversarial patch: a small opaque square whose colours are optimised, as visible as a sticker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from core.attacks.patterns.pattern import Pattern, PatternTask, target_field
from core.attacks.triggers import Trigger

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.patterns.descent import Model
    from core.attacks.patterns.step import Step

_BATCH, _JUDGED = 64, 256


class AdversarialPatch(Pattern, frozen=True):
    """See `adversarial_patch`."""

    title: ClassVar = "Adversarial patch"
    sentence: ClassVar = (
        "A small opaque square, its colours optimised on training images to take every image to the target class."
    )

    target: int = target_field(required=True)

    def search(self, task: PatternTask) -> Iterator[Step]:
        """Yield ever better patches."""
        yield from adversarial_patch(task.model, task.learn, self.target, seed=task.seed)


def adversarial_patch(model: Model, images: Tensor, target: int, steps: int = 200, seed: int = 0) -> Iterator[Step]:
    """Look for the colours of an opaque square that take every image to the target class.

    After Brown et al. 2017 (arXiv 1712.09665), but at one fixed place and size, as a trigger has: in the lower right
    corner, 3 of 10 of the image's shorter side. `Step.loss` is the mean cross-entropy with the target.

    Parameters
    ----------
    model
        From images [N, C, H, W] to logits [N, K]; copied, never changed.
    images
        Float [N, C, H, W] in [0, 1]: training images.
    target
        The class wanted for every image.
    steps, seed
        Sign steps; decides the batches.
    """
    import torch

    from core.attacks.patterns.descent import descend, frozen
    from core.attacks.patterns.losses import target_loss
    from core.attacks.patterns.step import Step

    channels, height, width = images.shape[1:]
    side = min(height, width, max(2, round(0.3 * min(height, width))))
    top, left = height - side, width - side
    net = frozen(model)
    generator = torch.Generator().manual_seed(seed)
    pool = images.detach().float()
    fixed = torch.randperm(len(pool), generator=generator)[:_JUDGED]
    covered = torch.zeros(height, width, dtype=torch.bool, device=net.device)
    covered[top:, left:] = True

    def value(offset: Tensor, chosen: Tensor) -> Tensor:
        square = torch.nn.functional.pad(0.5 + offset, (left, 0, top, 0))
        shown = torch.where(covered, square, pool[chosen].to(net.device))
        return target_loss(net.logits(shown.contiguous(memory_format=torch.channels_last)), target).mean()

    def loss(offset: Tensor) -> Tensor:
        return value(offset, torch.randint(len(pool), (_BATCH,), generator=generator))

    def judge(offset: Tensor) -> Tensor:
        return value(offset, fixed)

    # Colours are 0.5 + an offset within +-0.5: the same bounded search as an additive pattern's.
    start = torch.zeros(channels, side, side, device=net.device)
    for share, best, offset in descend(loss, judge, start, 0.5, steps):
        yield Step(share, best, _opaque(0.5 + offset.cpu().numpy(), top, left))


def _opaque(colours: np.ndarray, top: int, left: int) -> Trigger:
    """Return colours float [C, h, w] in [0, 1] as an opaque picture at its place."""
    pixels = np.rint(255 * np.broadcast_to(colours, (3, *colours.shape[1:]))).astype(np.uint8)
    alpha = np.full((1, *colours.shape[1:]), 255, np.uint8)
    return Trigger.from_rgba(np.concatenate([pixels, alpha]).transpose(1, 2, 0), top, left, "adversarial patch")
