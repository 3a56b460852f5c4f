"""How fast this machine multiplies, and how much a network asks it to: the roof that W is measured against."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from core.benchmarks.timing import Contender

SIDE = 1024
CHANNELS, PICTURE = 256, 14


def count_flops(model: nn.Module, shape: tuple[int, int, int]) -> int:
    """Return the nominal floating-point operations of the convolutions and linear layers for one image.

    A multiplication and an addition count as two; what padding multiplies with zero counts too, as is usual. Everything
    else (batch norm, activations, poolings, attention's products, noise, votes) counts as nothing.

    Parameters
    ----------
    model
        Any module on images [N, C, H, W]; it is run once, in evaluation mode.
    shape
        (channels, height, width) of the image.
    """
    counted = []

    def count(layer: nn.Conv2d | nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # One row of the weight is what makes one number of the output.
        counted.append(2 * output.numel() * layer.weight[0].numel())

    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    first = next(model.parameters())
    was_training = model.training
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, *shape, device=first.device, dtype=first.dtype))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return sum(counted)


def matrix_product(device: torch.device, dtype: torch.dtype) -> tuple[Contender, int]:
    """Return a contender that multiplies two matrices of 1024 x 1024 a few times, and its floating-point operations."""
    left, right = (torch.rand(SIDE, SIDE, device=device).to(dtype) for _ in range(2))
    return _repeated(lambda: left @ right, 16, device), 16 * 2 * SIDE**3


def convolution(device: torch.device, dtype: torch.dtype, batch: int) -> tuple[Contender, int]:
    """Return a contender that convolves 256 channels with 3x3 a few times, and its floating-point operations."""
    layer = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False)
    layer = layer.to(device, dtype).to(memory_format=torch.channels_last)
    pictures = torch.rand(batch, CHANNELS, PICTURE, PICTURE, device=device)
    pictures = pictures.to(dtype).contiguous(memory_format=torch.channels_last)
    operations = 2 * batch * PICTURE**2 * CHANNELS**2 * 9
    return _repeated(lambda: layer(pictures), 4, device), 4 * operations


def _repeated(work: Callable[[], Tensor], times: int, device: torch.device) -> Contender:
    def turn(number: int) -> None:
        with torch.inference_mode():
            for _ in range(times):
                work()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return turn
