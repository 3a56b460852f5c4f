"""What adversarial patterns lower: cross-entropy with a wanted class, or of "not this class"."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.errors import InputError


def target_loss(logits: Tensor, target: int) -> Tensor:
    """Return -log p of the target class for each row of logits [N, K], float [N]."""
    if not 0 <= target < logits.shape[1]:
        raise InputError(
            f"The target {target} is not one of the model's {logits.shape[1]} classes, which count from 0."
        )
    return nn.functional.cross_entropy(logits, torch.full_like(logits[:, 0], target).long(), reduction="none")


def miss_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return -log(1 - p of its label) for each row of logits [N, K], float [N].

    It is large while the label wins and vanishes once it is lost, so images that are lost already do not outweigh
    those that are not, as they would if the cross-entropy with the label were raised.
    """
    others = logits.scatter(1, labels[:, None], float("-inf"))
    return logits.logsumexp(1) - others.logsumexp(1)
