"""PGD examples: each image changed in its own way, so that the model misses its class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from core.attacks.patterns.pattern import Pattern, PatternTask, bound_field, target_field
from core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.patterns.descent import Model
    from core.attacks.patterns.step import Step


class PgdExamples(Pattern, frozen=True):
    """See `pgd_examples`."""

    title: ClassVar = "PGD examples"
    sentence: ClassVar = "Each image changed on its own, by as little as the bound, to lose its class."

    bound: float = bound_field(0.1)
    target: int | None = target_field(required=False)

    def search(self, task: PatternTask) -> Iterator[Step]:
        """Yield ever better versions of the chosen images."""
        yield from pgd_examples(task.model, task.images, task.labels, self.bound, seed=task.seed, target=self.target)


def pgd_examples(
    model: Model,
    images: Tensor,
    labels: Tensor,
    bound: float = 0.1,
    steps: int = 20,
    seed: int = 0,
    *,
    target: int | None = None,
) -> Iterator[Step]:
    """Change each image within max |change| <= bound and [0, 1] so that it loses its label, or gets the target.

    Projected gradient steps on the sign, from a random start (Madry et al., ICLR 2018, arXiv 1706.06083). Of each
    image the best version that was met is kept. `Step.loss` is the mean over images; `Step.found` the images, on the
    CPU.

    Parameters
    ----------
    model
        From images [N, C, H, W] to logits [N, K]; copied, never changed.
    images, labels
        Float [N, C, H, W] in [0, 1], and int64 [N], the classes they should lose.
    bound, steps, seed
        Largest absolute change of a pixel; sign steps of 2.5 * bound / steps; decides the start.
    target
        The class wanted for every image; None: any other than its label.
    """
    import torch

    from core.attacks.patterns.descent import check_search, frozen, gradient, judged
    from core.attacks.patterns.losses import miss_loss, target_loss
    from core.attacks.patterns.step import Step

    check_search(bound, steps)
    if len(labels) != len(images):
        raise InputError(f"There are {len(labels)} labels for {len(images)} images; give one label for each image.")
    net = frozen(model)
    clean, labels = images.detach().float().to(net.device), labels.to(net.device)
    low, high = (clean - bound).clamp(min=0), (clean + bound).clamp(max=1)

    def each(shown: Tensor) -> Tensor:
        logits = net.logits(shown.contiguous(memory_format=torch.channels_last))
        return miss_loss(logits, labels) if target is None else target_loss(logits, target)

    start = bound * (2 * torch.rand(clean.shape, generator=torch.Generator().manual_seed(seed)) - 1)
    shown = (clean + start.to(net.device)).clamp(low, high)
    best, best_loss = shown, torch.full((len(clean),), float("inf"), device=net.device)
    for step in range(steps):
        slope = gradient(lambda at: each(at).sum(), shown)
        shown = (shown - 2.5 * bound / steps * slope.sign()).clamp(low, high)
        reached = judged(each, shown)
        better = reached < best_loss
        best = torch.where(better[:, None, None, None], shown, best)
        best_loss = torch.where(better, reached, best_loss)
        yield Step((step + 1) / steps, float(best_loss.mean()), best.cpu())
