"""Putting a network's weights into another order of colours or classes, so that it takes and gives ours."""

from __future__ import annotations

import torch
from torch import nn


def swap_colours(network: nn.Module, channels: int) -> None:
    """Let a network that was trained on blue, green, red take red, green, blue: its first layer's weights turn round.

    Parameters
    ----------
    network
        Whose first layer is a convolution, with weights [F, C, h, w], or linear on all pixels, with [F, C H W].
    channels
        Number of channels C.
    """
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)).weight
    with torch.no_grad():
        by_channel = first if first.ndim == 4 else first.unflatten(1, (channels, -1))
        first.copy_(by_channel.flip(1).reshape(first.shape))


def reorder_classes(network: nn.Module, order: tuple[int, ...]) -> None:
    """Let a network answer in another order of classes: the number at `order[k]` comes k-th."""
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    places = torch.tensor(order)
    with torch.no_grad():
        last.weight.copy_(last.weight[places])
        if last.bias is not None:
            last.bias.copy_(last.bias[places])
