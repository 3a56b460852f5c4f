"""What the last layer of a model reads: the features of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from core.device import choose_device, torch_threads
from core.errors import InputError
from core.instruments.predictor import check_images
from core.models.streamline import streamline

# Small enough that filling up the last batch costs little.
_BATCH = 64


def last_features(model: Callable[[Tensor], Tensor], images: Tensor) -> np.ndarray:
    """Return what a model's last linear layer reads of each image, float64 [N, D]. The model is copied, never changed.

    An image's features do not depend on the other images; see `answers_of`.

    Parameters
    ----------
    model
        A module whose last linear layer gives the logits.
    images
        Float [N, C, H, W] in [0, 1].

    Raises
    ------
    InputError
        The model is no module or has no linear layer, so that its features cannot be read.
    """
    check_images(images)
    network = as_network(model)
    layer = [part for part in network.modules() if isinstance(part, nn.Linear)]
    if not layer:
        raise InputError(
            "This model has no linear layer whose input could be read as features: use a detector that only asks for "
            "its answers."
        )
    read: list[Tensor] = []
    # Hooks and copies are ours alone; the caller's model has neither.
    layer[-1].register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].flatten(1).float().cpu()))
    for _ in answers_of(network, images):
        pass
    return torch.cat(read)[: len(images)].double().numpy()


def answers_of(network: nn.Module, images: Tensor) -> Iterator[Tensor]:
    """Yield a network's logits of the images, float [n, K], one batch after another.

    The network always sees batches of one fixed shape; the last one is filled up with zeros, whose logits are dropped.
    Matrix libraries choose their kernels by the shape of a batch, and some processors (Intel's with AMX, for one) then
    add up in another order: an image's last bits would depend on how many others it came with.
    """
    device = next(network.parameters()).device
    for part in images.detach().float().split(_BATCH):
        batch = torch.zeros(_BATCH, *part.shape[1:])
        batch[: len(part)] = part
        with torch.inference_mode(), torch_threads(1):
            logits = network(batch.to(device, memory_format=torch.channels_last))
        yield logits[: len(part)]


def as_network(model: Callable[[Tensor], Tensor]) -> nn.Module:
    """Return a frozen float32 copy of a module on the best device, whose layers may be hooked.

    Raises
    ------
    InputError
        The model is a callable that is no module.
    """
    if reason := closed(model):
        raise InputError(reason)
    assert isinstance(model, nn.Module)
    device = choose_device()
    return streamline(model, device).float().to(device).to(memory_format=torch.channels_last)


def closed(model: Callable[[Tensor], Tensor]) -> str | None:
    """Return None if a model's layers can be seen, else a sentence that says why not."""
    if isinstance(model, nn.Module):
        return None
    return (
        "This model shows its answers only and not its layers, which this detector has to see: use another detector, "
        "or a model in PyTorch."
    )
