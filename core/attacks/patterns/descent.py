"""Projected sign descent on a copy of a model: what all optimised patterns share.

Equal seeds give equal patterns to the last bit on one processor with one version of torch. On another processor a
gradient's last bits differ, and with them the sign of slopes near zero: the pattern may be another one, as good. On a
GPU gradients may be summed in any order, so there even a repetition may differ. The seed decides the images and noise
that the model is shown, and those are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.device import choose_device, torch_threads
from core.errors import InputError
from core.models.streamline import streamline

Model = Callable[[Tensor], Tensor]

# A search looks at its pattern this often; a person sees so many stages.
_LOOKS = 10
_MOMENTUM = 0.9


@dataclass(frozen=True)
class Frozen:
    """A model for gradients with respect to its images only, and the device it computes on."""

    logits: Model
    device: torch.device


def frozen(model: Model) -> Frozen:
    """Return a frozen float32 copy of a module on the best device; any other callable stays as it is, on the CPU.

    The model given is never touched: no gradient is left on its weights, and its training mode stays.
    """
    if not isinstance(model, nn.Module):
        return Frozen(model, torch.device("cpu"))
    device = choose_device()
    # As for a GPU, on a CPU too: what makes pooling quicker there makes its gradient three times slower.
    network = streamline(model, "cuda").float().to(device).to(memory_format=torch.channels_last)
    return Frozen(network, torch.device(device))


def judged(judge: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Return a loss at a point without keeping what a gradient would need."""
    with torch.no_grad(), torch_threads(1):
        return judge(at)


def gradient(loss: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Return the gradient of a loss at a point.

    Raises
    ------
    InputError
        The model between them gives no gradients.
    """
    with torch.inference_mode(False), torch.enable_grad(), torch_threads(1):
        point = at.detach().clone().requires_grad_()
        value = loss(point)
        if not value.requires_grad:
            raise InputError(
                "This model gives no gradients, so nothing can be optimised on it: choose a pattern that needs none, "
                "such as random or brightness, or a model in PyTorch."
            )
        return torch.autograd.grad(value, point)[0]


def descend(
    loss: Callable[[Tensor], Tensor], judge: Callable[[Tensor], Tensor], start: Tensor, bound: float, steps: int
) -> Iterator[tuple[float, float, Tensor]]:
    """Lower a loss within max |pattern| <= bound; yield the share done, the best judged value and its pattern.

    Each step moves every pixel by the same length against the sign of the gradient with momentum (Dong et al. 2018,
    arXiv 1710.06081), then back into the bound. The length falls to nothing; all lengths together are a little more
    than 2 * bound, so that every pixel can reach either end from anywhere.

    Parameters
    ----------
    loss
        From a pattern to what is lowered; may be noisy.
    judge
        From a pattern to the same without the noise; decides which pattern is best.
    start
        Float, any shape, within the bound.
    bound, steps
        Largest absolute value of a pixel; number of steps, at least 1.
    """
    check_search(bound, steps)
    pattern, momentum = start.clone(), torch.zeros_like(start)
    best_value, best = float("inf"), pattern
    every = max(1, steps // _LOOKS)
    for step in range(steps):
        slope = gradient(loss, pattern)
        momentum = _MOMENTUM * momentum + slope / slope.abs().mean().clamp(min=1e-30)
        length = 4 * bound / steps * (1 - step / steps)
        pattern = (pattern - length * momentum.sign()).clamp(-bound, bound)
        if (step + 1) % every == 0 or step + 1 == steps:
            value = float(judged(judge, pattern))
            if value < best_value or step + 1 == every:
                best_value, best = value, pattern
            yield (step + 1) / steps, best_value, best


def check_search(bound: float, steps: int) -> None:
    """Raise InputError unless 0 < bound <= 1 and there is at least one step."""
    if not 0 < bound <= 1:
        raise InputError(f"The bound is the largest change of a pixel, above 0 and at most 1; got {bound:g}.")
    if steps < 1:
        raise InputError(f"A search makes at least 1 step; got {steps}.")
