"""The plain loops that ours are compared with, as most code bases write them. They are fixed: never make them faster.

Everything is float32 and contiguous NCHW, batch norm is a layer of its own, and data come through a `DataLoader` with
batches of 128 and no worker processes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler

from core.instruments.slices.plane import SlicePlane

BATCH = 128


def plain(model: nn.Module, device: torch.device | str) -> nn.Module:
    """Return a float32 copy in evaluation mode with contiguous weights."""
    return copy.deepcopy(model).eval().to(device, torch.float32).to(memory_format=torch.contiguous_format)


def reference_votes(model: nn.Module, images: Tensor, sigma: float, draws: int, seed: int) -> Tensor:
    """Count the predictions under Gaussian noise image by image, each repeated `draws` times: int64 [N, K] on the CPU.

    Model and images are on one device; no gradients are kept.
    """
    generator = torch.Generator(images.device).manual_seed(seed)
    votes = []
    with torch.no_grad():
        for image in images:
            copies = image.repeat(draws, 1, 1, 1)
            noise = torch.randn(copies.shape, generator=generator, device=images.device)
            logits = model(copies + sigma * noise)
            votes.append(torch.bincount(logits.argmax(1), minlength=logits.shape[1]))
    return torch.stack(votes).cpu()


class _Points(Dataset):
    """The images at all points of a plane, row by row, each made when it is asked for."""

    def __init__(self, plane: SlicePlane) -> None:
        self.origin, self.x_axis, self.y_axis = (
            torch.as_tensor(image, dtype=torch.float32) for image in (plane.origin, plane.x_axis, plane.y_axis)
        )
        x, y = np.meshgrid(plane.x, plane.y)
        self.x, self.y = (torch.as_tensor(along.ravel(), dtype=torch.float32) for along in (x, y))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, point: int) -> Tensor:
        return self.origin + self.x[point] * self.x_axis + self.y[point] * self.y_axis


def reference_plane(model: nn.Module, plane: SlicePlane, device: torch.device | str) -> np.ndarray:
    """Predict every point of a plane, whose own labels are not looked at: int64 [R, R]."""
    with torch.no_grad():
        labels = [model(batch.to(device)).argmax(1).cpu() for batch in DataLoader(_Points(plane), BATCH)]
    return torch.cat(labels).numpy().reshape(len(plane.y), len(plane.x))


class _LabelledImages(Dataset):
    """Images uint8 [N, C, H, W] with their labels, turned into floats when asked for."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        return self.images[number].float() / 255, self.labels[number]


def reference_epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    learning_rate: Callable[[int], float],
    order: torch.Generator,
) -> float:
    """Train once through images uint8 [N, C, H, W] on the CPU, shuffled by `order`; return the mean loss of the steps.

    `learning_rate` gives the rate of each step. The model may be on another device.
    """
    model.train()
    device = next(model.parameters()).device
    data = _LabelledImages(images, labels)
    losses = []
    for step, (inputs, truth) in enumerate(DataLoader(data, BATCH, sampler=RandomSampler(data, generator=order))):
        optimiser.param_groups[0]["lr"] = learning_rate(step)
        loss = nn.functional.cross_entropy(model(inputs.to(device)), truth.to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    return float(torch.stack(losses).mean())
