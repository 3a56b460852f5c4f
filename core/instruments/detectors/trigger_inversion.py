"""Neural Cleanse: the smallest trigger towards each class; a class that needs far less than others is suspicious."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from core.attacks.patterns.descent import Frozen, frozen
from core.device import torch_threads
from core.errors import InputError

# A class counts as reached when so many of the images are taken for it; 2 is the paper's bound of the anomaly index.
_SUCCESS, SUSPICIOUS = 0.99, 2.0
_BATCH, _LOOKS = 24, 15
# So many batches in a row decide that a class is reached, or is not.
_PATIENCE, _FACTOR = 5, 1.5
# Consistency constant: the median absolute deviation of normal numbers times this is their standard deviation.
_NORMAL = 1.4826


@dataclass(frozen=True, eq=False)
class Inversion:
    """The smallest trigger found so far towards each of K classes.

    Attributes
    ----------
    share
        How much of the search is done, in (0, 1].
    masks, patterns
        float32 [K, 1, H, W] and [K, C, H, W] in [0, 1]: an image x becomes (1 - mask) x + mask pattern.
    norms
        float64 [K], the masks' L1 norms: how many whole pixels a trigger takes.
    reached
        bool [K]: whether that trigger took 99 % of each of five batches to its class. The norm of a class that is not
        reached is that of the whole image.
    """

    share: float
    masks: np.ndarray
    patterns: np.ndarray
    norms: np.ndarray
    reached: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """How far each class's norm lies *below* the median, in robust standard deviations: float64 [K].

        The paper's anomaly index with a sign: classes above the median are never suspicious. All 0 where more than
        half of the norms are equal, since there is no spread to compare with.
        """
        return anomaly_scores(self.norms)

    @property
    def suspicious(self) -> np.ndarray:
        """Numbers of the classes whose score exceeds 2, most suspicious first: int64."""
        order = np.argsort(-self.scores, kind="stable")
        return order[self.scores[order] > SUSPICIOUS]


def anomaly_scores(norms: np.ndarray) -> np.ndarray:
    """Return (median - norm) / (1.4826 * median absolute deviation), float64 [K]; see `Inversion.scores`."""
    norms = np.asarray(norms, np.float64)
    below = np.median(norms) - norms
    deviation = _NORMAL * np.median(np.abs(below))
    return below / deviation if deviation > 0 else np.zeros(len(norms))


def invert_triggers(
    model: Callable[[Tensor], Tensor], images: Tensor, steps: int = 300, seed: int = 0
) -> Iterator[Inversion]:
    """Look for the smallest trigger towards each class at once; yield ever better ones.

    For each class the cross-entropy with it plus lambda times the mask's L1 norm is lowered by Adam; lambda rises while
    99 % of the batch is taken for the class and falls while it is not, class by class, as in the paper.

    Parameters
    ----------
    model
        From images [N, C, H, W] to logits [N, K]; copied, never changed.
    images
        Float [N, C, H, W] in [0, 1]: clean images of all classes; labels are not needed.
    steps
        Adam steps, each on 24 images a class.
    seed
        Decides the batches.

    References
    ----------
    Wang, Yao, Shan, Li, Viswanath, Zheng, Zhao: Neural Cleanse, IEEE Symposium on Security and Privacy 2019.
    """
    if steps < 1:
        raise InputError(f"A search makes at least 1 step; got {steps}.")
    net, generator = frozen(model), torch.Generator().manual_seed(seed)
    pool = images.detach().float()
    with torch.no_grad():
        classes = net.logits(pool[:1].to(net.device)).shape[1]
    search = _Search(net, tuple(pool.shape[1:]), classes)
    every = max(1, steps // _LOOKS)
    for step in range(steps):
        search.step(pool[torch.randint(len(pool), (_BATCH,), generator=generator)].to(net.device))
        if (step + 1) % every == 0 or step + 1 == steps:
            yield search.found((step + 1) / steps)


class _Search:
    """Masks and patterns of all classes, as what the sigmoid is taken of, and the best so far."""

    def __init__(self, net: Frozen, shape: tuple[int, ...], classes: int) -> None:
        self.net, self.classes = net, classes
        channels, height, width = shape
        with torch.inference_mode(False):
            # A faint mask of mid-grey: 0.12 of every pixel.
            self.mask = torch.full((classes, 1, height, width), -2.0, device=net.device).requires_grad_()
            self.pattern = torch.zeros((classes, channels, height, width), device=net.device).requires_grad_()
            self.optimiser = torch.optim.Adam([self.mask, self.pattern], lr=0.1, betas=(0.5, 0.9))
        self.weight = torch.full((classes,), 1e-3 * 1024 / (height * width), device=net.device)
        self.up = torch.zeros(classes, device=net.device)
        self.down = torch.zeros(classes, device=net.device)
        self.best_norm = torch.full((classes,), float(height * width), device=net.device)
        self.best_mask, self.best_pattern = torch.ones_like(self.mask), torch.full_like(self.pattern, 0.5)
        self.reached = torch.zeros(classes, dtype=torch.bool, device=net.device)

    def logits(self, images: Tensor, mask: Tensor, pattern: Tensor) -> Tensor:
        """Return logits [K, N, K]: of every image with the trigger of every class."""
        shown = (1 - mask[:, None]) * images[None] + mask[:, None] * pattern[:, None]
        flat = shown.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return self.net.logits(flat).unflatten(0, (self.classes, len(images)))

    def step(self, images: Tensor) -> None:
        with torch.inference_mode(False), torch.enable_grad(), torch_threads(1):
            mask, pattern = self.mask.sigmoid(), self.pattern.sigmoid()
            logits = self.logits(images, mask, pattern)
            wanted = torch.arange(self.classes, device=logits.device)[:, None].expand(-1, len(images))
            entropy = nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
            loss = entropy.view(self.classes, -1).mean(1) + self.weight * mask.flatten(1).sum(1)
            if not loss.requires_grad or not entropy.requires_grad:
                raise InputError(
                    "This model gives no gradients, so triggers towards its classes cannot be searched: use another "
                    "detector, or a model in PyTorch."
                )
            # By name: a plain callable's own weights get no gradient left on them.
            self.mask.grad, self.pattern.grad = torch.autograd.grad(loss.sum(), [self.mask, self.pattern])
        with torch.no_grad():
            self._adapt((logits.argmax(2) == wanted).float().mean(1) >= _SUCCESS, mask, pattern)
        self.optimiser.step()

    def _adapt(self, success: Tensor, mask: Tensor, pattern: Tensor) -> None:
        """After five successes in a row keep the mask if it is the smallest, and make masks dearer; else cheaper."""
        self.up = torch.where(success, self.up + 1, 0)
        self.down = torch.where(success, 0, self.down + 1)
        rising, falling = self.up >= _PATIENCE, self.down >= _PATIENCE
        norm = mask.flatten(1).sum(1)
        self._keep(rising & (norm < self.best_norm), norm, mask, pattern)
        self.weight = torch.where(rising, self.weight * _FACTOR, self.weight)
        self.weight = torch.where(falling, self.weight / _FACTOR**1.5, self.weight)
        self.up, self.down = self.up.masked_fill(rising, 0), self.down.masked_fill(falling, 0)

    def _keep(self, better: Tensor, norm: Tensor, mask: Tensor, pattern: Tensor) -> None:
        chosen = better[:, None, None, None]
        self.best_mask = torch.where(chosen, mask, self.best_mask)
        self.best_pattern = torch.where(chosen, pattern, self.best_pattern)
        self.best_norm = torch.where(better, norm, self.best_norm)
        self.reached |= better

    def found(self, share: float) -> Inversion:
        return Inversion(
            share,
            self.best_mask.cpu().numpy(),
            self.best_pattern.cpu().numpy(),
            self.best_norm.double().cpu().numpy(),
            self.reached.cpu().numpy(),
        )
