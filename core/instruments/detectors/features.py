"""What the last layer of a model reads: the features of an image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from core.device import choose_device, torch_threads
from core.errors import InputError
from core.instruments.predictor import check_images
from core.models.streamline import streamline

_BATCH = 256


def last_features(model: Callable[[Tensor], Tensor], images: Tensor) -> np.ndarray:
    """Return what a model's last linear layer reads of each image, float64 [N, D]. The model is copied, never changed.

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
    device = next(network.parameters()).device
    with torch.inference_mode(), torch_threads(1):
        for part in images.detach().float().split(_BATCH):
            network(part.to(device, memory_format=torch.channels_last))
    return torch.cat(read).double().numpy()


def as_network(model: Callable[[Tensor], Tensor]) -> nn.Module:
    """Return a frozen float32 copy of a module on the best device, whose layers may be hooked.

    Raises
    ------
    InputError
        The model is a callable that is no module.
    """
    if not isinstance(model, nn.Module):
        raise InputError(
            "This model shows its answers only and not its layers, which this detector has to see: use another "
            "detector, or a model in PyTorch."
        )
    device = choose_device()
    return streamline(model, device).float().to(device, memory_format=torch.channels_last)
