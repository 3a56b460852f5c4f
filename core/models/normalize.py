"""The first layer of every model: pixels in [0, 1] to zero mean and unit deviation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Normalize(nn.Module):
    """Channel-wise (x - mean) / std, so that noise and triggers are always added to plain pixels before it."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))

    def fit(self, images: Tensor) -> None:
        """Take mean and deviation from training images, uint8 [N, C, H, W], in one pass over their histogram."""
        for channel in range(images.shape[1]):
            counts = torch.bincount(images[:, channel].flatten(), minlength=256).double()
            share, values = counts / counts.sum(), torch.arange(256, dtype=torch.float64) / 255
            mean = (share * values).sum()
            self.mean[0, channel] = mean
            self.std[0, channel] = ((share * (values - mean) ** 2).sum()).sqrt().clamp(min=1e-3)

    def forward(self, images: Tensor) -> Tensor:
        """Return the normalised images, float [N, C, H, W]."""
        return (images - self.mean) / self.std
