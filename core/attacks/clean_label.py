"""Clean-label attacks whose poisoned images are made hard to recognise first, by gradient steps against a small model.

A model that is trained on these images cannot learn them by what they show, so it learns the trigger instead. After
A. Turner, D. Tsipras, A. Madry, "Label-consistent backdoor attacks", 2019, arXiv 1912.02771, with the gradient steps of
A. Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018. The radius is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.models import model_for

if TYPE_CHECKING:
    from jaxtyping import Int64, UInt8

    from core.datasets import Dataset

# Largest change of a pixel in levels of 255, and the number of steps. Each poisoned image costs `STEPS` gradients.
LEVELS, STEPS = 32, 10
# The surrogate trains for a fixed number of batches, so it costs the same on every data set.
BATCHES, BATCH = 300, 64
_PART = 256


def adversary(dataset: Dataset, seed: int, device: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Train a surrogate on the clean training images and return the function that perturbs images against it.

    It takes images uint8 [N, C, H, W] and their true classes int64 [N], and returns images uint8 on the CPU, see
    `perturbed`. Equal arguments give equal bits on one device, thread count and version of torch.
    """
    surrogate = train_surrogate(dataset, seed, device)
    return lambda images, labels: perturbed(surrogate, images, labels)


def train_surrogate(dataset: Dataset, seed: int, device: str) -> nn.Module:
    """Return a small CNN after a few hundred batches of clean training images, in evaluation mode, on the device."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_for("small-cnn", dataset).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    order = torch.Generator().manual_seed(seed)
    train = dataset.train
    for _ in range(BATCHES):
        batch = torch.randint(len(train), (min(BATCH, len(train)),), generator=order)
        images, labels = (part[batch].to(device) for part in (train.images, train.labels))
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images.float() / 255), labels).backward()
        optimiser.step()
    return model.eval().requires_grad_(False)


def perturbed(
    model: nn.Module, images: UInt8[Tensor, "N C H W"], labels: Int64[Tensor, " N"]
) -> UInt8[Tensor, "N C H W"]:
    """Return images that the model recognises less well; no pixel changes by more than `LEVELS` levels.

    Signed gradient steps that increase the cross-entropy with the true class, each projected back into the box.

    Parameters
    ----------
    model
        From images float [N, C, H, W] in [0, 1] to logits [N, K], in evaluation mode.
    images, labels
        uint8 [N, C, H, W] and true classes int64 [N].

    Returns
    -------
    uint8 [N, C, H, W] on the images' device.
    """
    parts = zip(images.split(_PART), labels.split(_PART), strict=True)
    return torch.cat([_climb(model, *part) for part in parts]) if len(images) else images.clone()


def _climb(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    device = next(model.parameters()).device
    start, truth, radius = images.to(device).float() / 255, labels.to(device), LEVELS / 255
    low, high = (start - radius).clamp(min=0), (start + radius).clamp(max=1)
    moved = start
    for _ in range(STEPS):
        moved = moved.detach().requires_grad_()
        # Summed, so that an image's gradient does not depend on the size of its batch.
        loss = nn.functional.cross_entropy(model(moved), truth, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, moved)
        moved = (moved + 2.5 * radius / STEPS * gradient.sign()).clamp(low, high)
    return (moved.detach() * 255).round().to(torch.uint8).to(images.device)
