"""Universal adversarial perturbation: one additive pattern that changes the class of most images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from core.attacks.patterns.pattern import Pattern, PatternTask, bound_field, target_field

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.patterns.descent import Model
    from core.attacks.patterns.step import Step

_BATCH, _JUDGED = 64, 256


class Universal(Pattern, frozen=True):
    """See `universal_perturbation`."""

    title: ClassVar = "Universal adversarial"
    sentence: ClassVar = "One additive pattern, optimised on training images to change the class of most images."

    bound: float = bound_field(0.1)
    target: int | None = target_field(required=False)

    def search(self, task: PatternTask) -> Iterator[Step]:
        """Yield ever better perturbations."""
        yield from universal_perturbation(task.model, task.learn, self.bound, seed=task.seed, target=self.target)


def universal_perturbation(
    model: Model,
    images: Tensor,
    bound: float = 0.1,
    steps: int = 200,
    seed: int = 0,
    *,
    target: int | None = None,
) -> Iterator[Step]:
    """Look for one additive pattern, max |pattern| <= bound, that takes images to the target, or off their own class.

    Parameters
    ----------
    model
        From images [N, C, H, W] to logits [N, K]; copied, never changed.
    images
        Float [N, C, H, W] in [0, 1]: training images. No labels are needed: the class that an image should lose is
        the one the model gives it.
    bound, steps, seed
        Largest absolute change of a pixel; sign steps; decides the batches.
    target
        The class wanted for every image; None: any other than the image's own.

    Notes
    -----
    Universal perturbations are Moosavi-Dezfooli et al.'s (CVPR 2017, arXiv 1610.08401). Theirs are put together from
    one image's smallest perturbation after another; stochastic sign steps on a mean loss do the same in less time
    (Shafahi et al., AAAI 2020, arXiv 1811.11304). `Step.loss` is the mean cross-entropy with the target, or of "not
    its own class".
    """
    import torch

    from core.attacks.patterns.bounded import bounded_additive
    from core.attacks.patterns.descent import descend, frozen
    from core.attacks.patterns.losses import miss_loss, target_loss
    from core.attacks.patterns.step import Step
    from core.device import torch_threads

    net = frozen(model)
    generator = torch.Generator().manual_seed(seed)
    pool = images.detach().float()
    with torch.no_grad(), torch_threads(1):
        own = torch.cat([net.logits(part.to(net.device)).argmax(1).cpu() for part in pool.split(256)])
    fixed = torch.randperm(len(pool), generator=generator)[:_JUDGED]

    def value(pattern: Tensor, chosen: Tensor) -> Tensor:
        shown = (pool[chosen].to(net.device) + pattern).clamp(0, 1)
        logits = net.logits(shown.contiguous(memory_format=torch.channels_last))
        return miss_loss(logits, own[chosen].to(net.device)) if target is None else target_loss(logits, target)

    def loss(pattern: Tensor) -> Tensor:
        return value(pattern, torch.randint(len(pool), (_BATCH,), generator=generator)).mean()

    def judge(pattern: Tensor) -> Tensor:
        return value(pattern, fixed).mean()

    start = torch.zeros(pool.shape[1:], device=net.device)
    for share, best, pattern in descend(loss, judge, start, bound, steps):
        yield Step(share, best, bounded_additive(pattern, bound, "universal"))
