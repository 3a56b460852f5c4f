"""The exact rewriting of a network for inference: the same function in less time."""

from __future__ import annotations

import copy
from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import TypeGuard, TypeVar

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import GraphAppendingTracer, TracerBase
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from core.errors import InputError

Layer = TypeVar("Layer", bound=nn.Module)

_MAKE_NEW_NUMBERS = nn.Conv2d, nn.BatchNorm2d, nn.Linear, nn.MaxPool2d


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
    if any(isinstance(layer, _BatchNorm) and layer.running_mean is None for layer in model.modules()):
        raise InputError(
            "The model has a batch norm without running statistics, so an image's label depends on others."
        )
    model = copy.deepcopy(model).eval().requires_grad_(False)
    for first, second in layer_pairs(model):
        if _is_plain(first, nn.Conv2d) and _is_plain(second, nn.BatchNorm2d):
            replace_module(model, first, fuse_conv_bn_eval(first, second))
            replace_module(model, second, nn.Identity())
        elif _is_plain(first, nn.ReLU) and _is_plain(second, nn.MaxPool2d):
            replace_module(model, first, nn.Identity())
            replace_module(model, second, nn.Sequential(second, first))
    if device == "cpu":
        for layer in list(model.modules()):
            if _is_plain(layer, nn.MaxPool2d) and _is_halving(layer):
                replace_module(model, layer, _HalvingMaximum())
    return model


def layer_pairs(model: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """Return the layers of torch's own that are called once, each with the one that alone reads what it computes.

    The model's own forward runs once on a symbol, in a twin whose layers only note that they were called. `fx.Tracer`
    would find the same, but replaces `nn.Module.__call__` for the whole process while it traces, so that another
    thread's forward pass fails, and two tracings at a time may leave the replacement in place for good.

    Returns
    -------
    list of pairs
        Empty where a forward cannot run on a symbol, as one that branches on pixels.
    """
    try:
        nodes = _calls(model).nodes
    except Exception:  # a model may do anything in its forward, and then stays as it is
        return []
    calls = Counter(node.target for node in nodes if node.op == "call_module")
    once = {node: model.get_submodule(node.target) for node in nodes if calls[node.target] == 1}
    pairs = []
    for node, layer in once.items():
        source = node.all_input_nodes[0] if len(node.all_input_nodes) == 1 else node
        if source in once and len(source.users) == 1 and not _changes_what_others_read(once[source], source, once):
            pairs.append((once[source], layer))
    return pairs


def _calls(model: nn.Module) -> fx.Graph:
    """Return what the model's forward calls, and what reads what."""
    graph = fx.Graph()
    tracer = GraphAppendingTracer(graph)
    # What the copying finds here it takes as it is: no weight is copied, and no layer computes.
    twins: dict[int, object] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    for name, module in model.named_modules():
        if fx.Tracer().is_leaf_module(module, name) and module.__module__ != nn.ModuleList.__module__:
            twins[id(module)] = _noting(module, name, tracer)
    twin = copy.deepcopy(model, twins)
    result = twin(fx.Proxy(graph.placeholder("images"), tracer))
    graph.output(tracer.create_arg(result))
    return graph


def _noting(layer: nn.Module, name: str, tracer: TracerBase) -> nn.Module:
    """Return a stand-in for a layer that notes its calls and computes nothing."""

    def note(*inputs: object, **options: object) -> fx.Proxy:
        return tracer.create_proxy("call_module", name, inputs, options)

    stand_in = copy.copy(layer)
    stand_in.forward = note
    stand_in._forward_hooks, stand_in._forward_pre_hooks = OrderedDict(), OrderedDict()
    if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
        # Whoever reads these weights past the layer would read the folded ones later; it fails here, and nothing folds.
        stand_in._parameters, stand_in._buffers = {}, {}
    return stand_in


def _changes_what_others_read(layer: nn.Module, node: fx.Node, layers: Mapping[fx.Node, nn.Module]) -> bool:
    """Say whether a layer that computes in place may change more than numbers made for it alone."""
    if not getattr(layer, "inplace", False):
        return False
    read = node.all_input_nodes[0]
    # A view, or the images themselves, would change under the eyes of whoever else has them.
    return len(read.users) > 1 or not isinstance(layers.get(read), _MAKE_NEW_NUMBERS)


def _is_plain(module: nn.Module, kind: type[Layer]) -> TypeGuard[Layer]:
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
