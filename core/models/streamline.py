"""The exact rewriting of a network for inference: the same function in less time."""

from __future__ import annotations

import copy
from collections import Counter
from typing import TypeGuard, TypeVar

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from core.errors import InputError

Part = TypeVar("Part", bound=nn.Module)


def streamline(model: nn.Module, device: str) -> nn.Module:
    """Return an eval-mode copy of a model that computes the same in less time on a kind of device.

    Batch norms are folded into the convolutions before them, and poolings are moved before the ReLU they follow: a
    maximum of rectified numbers is the rectified maximum, and there are fewer of them. A model that cannot be traced is
    returned as a plain copy: slower, but right.

    Raises
    ------
    InputError
        The model's answer for one image depends on the others in its batch, by a batch norm without running statistics.
    """
    if any(isinstance(part, _BatchNorm) and part.running_mean is None for part in model.modules()):
        raise InputError(
            "The model has a batch norm without running statistics, so an image's label depends on others."
        )
    model = copy.deepcopy(model).eval().requires_grad_(False)
    for first, second in _pairs(model):
        if _is_plain(first, nn.Conv2d) and _is_plain(second, nn.BatchNorm2d):
            replace_module(model, first, fuse_conv_bn_eval(first, second))
            replace_module(model, second, nn.Identity())
        elif _is_plain(first, nn.ReLU) and _is_plain(second, nn.MaxPool2d):
            replace_module(model, first, nn.Identity())
            replace_module(model, second, nn.Sequential(second, first))
    if device == "cpu":
        for part in list(model.modules()):
            if _is_plain(part, nn.MaxPool2d) and _is_halving(part):
                replace_module(model, part, _HalvingMaximum())
    return model


def _pairs(model: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """Return the modules that are called once, each with the one module that it feeds and that nothing else feeds."""
    try:
        # The trace only shows which module feeds which; what runs later is the model's own forward.
        nodes = fx.Tracer().trace(model).nodes
    except Exception:  # a model may do anything in its forward, and then stays as it is
        return []
    calls = Counter(node.target for node in nodes if node.op == "call_module")
    pairs = []
    for node in nodes:
        source = node.all_input_nodes[0] if len(node.all_input_nodes) == 1 else node
        if node.op == source.op == "call_module" and calls[node.target] == calls[source.target] == 1:
            first, second = model.get_submodule(source.target), model.get_submodule(node.target)
            if len(source.users) == 1 and not _changes_what_others_read(first, source):
                pairs.append((first, second))
    return pairs


def _changes_what_others_read(module: nn.Module, node: fx.Node) -> bool:
    return getattr(module, "inplace", False) and any(len(read.users) > 1 for read in node.all_input_nodes)


def _is_plain(module: nn.Module, kind: type[Part]) -> TypeGuard[Part]:
    # A subclass, a parametrised weight or a hook (weight norm is one) may do more than the class's name says.
    return type(module) is kind and not module._forward_hooks and not module._forward_pre_hooks


def replace_module(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put a module in the place, or all the places, of another."""
    # By identity: one module may stand in several places under several names.
    for parent in list(model.modules()):
        for name, child in parent._modules.items():
            if child is old:
                parent._modules[name] = new


def _is_halving(pool: nn.MaxPool2d) -> bool:
    window = pool.kernel_size, pool.stride, pool.padding, pool.dilation
    return window in {(2, 2, 0, 1), ((2, 2), (2, 2), (0, 0), (1, 1))} and not (pool.ceil_mode or pool.return_indices)


class _HalvingMaximum(nn.Module):
    """Maximum over squares of 2x2 pixels: `MaxPool2d(2)` in half its time on a CPU, as no indices are kept."""

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[2] // 2 * 2, images.shape[3] // 2 * 2
        rows = torch.maximum(images[:, :, 0:height:2], images[:, :, 1:height:2])
        return torch.maximum(rows[..., 0:width:2], rows[..., 1:width:2])
