"""Which of our architectures a set of weights belongs to, whatever its layers are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import cast

import torch
from torch import nn

from core.errors import InputError, printable
from core.models.foreign.file import WeightsFile
from core.models.foreign.weights_reader import common_prefix
from core.models.normalize import Normalize
from core.models.registry import Shape, architecture_names, build_model, describe

Shapes = Mapping[str, tuple[int, ...]]
"""The shapes of weights by their names, in their order."""

Numbers = tuple[float, ...]

MOST_CLASSES = 100_000
_MOST_CHANNELS = 4
# ResNet-18 as torchvision builds it for photographs: known for loading only.
IMAGENET_STEM = "resnet-18-imagenet"
# What others call the parts that we call otherwise; tried when names do not match as they are.
_ALIASES = (("shortcut.", "downsample."), ("linear.", "fc."), ("classifier.", "fc."), ("head.", "fc."))


@dataclass(frozen=True, eq=False)
class Match:
    """A network that weights fit into.

    Attributes
    ----------
    architecture, network
        What `build_network` is asked for, and what it gives, with the weights in it and in evaluation mode; its first
        layer does nothing unless the file says otherwise.
    normalised
        Mean and deviation a channel, if the file says what its first layer does.
    by_order
        Whether the layers were told by their order and shapes, since their names are others.
    prefix
        What was taken off the names of its layers, which lie among others in the file; "" if they do not.
    left_out
        Names of tensors in the file that belong to no layer of it.
    """

    architecture: str
    network: nn.Module
    normalised: tuple[Numbers, Numbers] | None
    by_order: bool
    prefix: str
    left_out: tuple[str, ...]


def network_title(architecture: str) -> str:
    """Return how people call an architecture, those known for loading only among them."""
    return "ResNet-18 (7×7 stem)" if architecture == IMAGENET_STEM else describe(architecture).title


def reads_any_size(architecture: str) -> bool:
    """Say whether a network of an architecture reads images of any size."""
    return architecture == IMAGENET_STEM or describe(architecture).any_size


def build_network(architecture: str, shape: Shape, classes: int) -> nn.Module:
    """Return an untrained network as `build_model` does, those known for loading only among them."""
    if architecture == IMAGENET_STEM:
        from core.models.foreign.resnet_imagenet import ImageNetResNet18

        return ImageNetResNet18(shape, classes)
    return build_model(architecture, shape, classes)


def match_network(file: WeightsFile, shape: Shape, name: str) -> Match:
    """Return the network that a file's weights describe, for images of this shape.

    Parameters
    ----------
    file
        What was read.
    shape
        (channels, height, width) of the images that it will be shown.
    name
        What to call the file in a sentence.

    Raises
    ------
    InputError
        The weights fit no architecture that is known (the sentence says which layers differ from the nearest one), or
        images of another number of channels.
    """
    first_layer = _first_layer(file)
    layers = {label: size for label, size in file.shapes.items() if not _is_normalisation(label)}
    whole: InputError | None = None
    for prefix, shapes in _parts(layers):
        try:
            architecture, labels, classes = _fit(shapes, shape, name)
        except InputError as error:
            whole = whole or error
            continue
        channels = _channels(shapes, shape)
        _check_channels(channels, shape, name)
        weights = {ours: file.tensor(prefix + theirs) for ours, theirs in labels.items()}
        numbers = first_layer if first_layer and len(first_layer[0]) == channels else None
        network = build_network(architecture, shape, classes)
        network.load_state_dict(weights, strict=False)
        if numbers is not None:
            set_normalisation(network, *numbers)
        used = {prefix + label for label in shapes}
        return Match(
            architecture=architecture,
            network=network.eval(),
            normalised=numbers,
            by_order=any(ours not in (theirs, _our_name(theirs)) for ours, theirs in labels.items()),
            prefix=prefix,
            left_out=(*(label for label in layers if label not in used), *file.left_out),
        )
    assert whole is not None
    raise whole


def _parts(shapes: Shapes) -> Iterator[tuple[str, Shapes]]:
    """Yield the whole, then what lies under each first word of its names, the most first: a network among others.

    Each comes with what was taken off its names, such as "1." or "model.net.".
    """
    yield "", shapes
    groups: dict[str, list[str]] = {}
    for label in shapes:
        groups.setdefault(label.split(".", 1)[0], []).append(label)
    if len(groups) == 1:
        return
    for labels in sorted(groups.values(), key=len, reverse=True):
        prefix = common_prefix(labels)
        if prefix:
            yield prefix, {label.removeprefix(prefix): shapes[label] for label in labels}


def _fit(shapes: Shapes, shape: Shape, name: str) -> tuple[str, dict[str, str], int]:
    """Return the architecture that weights fit, the file's name for each of its weights, and the number of classes."""
    classes, channels = _classes(shapes, name), _channels(shapes, shape)
    nearest: tuple[int, str, Shapes] | None = None
    for architecture in (*architecture_names(), IMAGENET_STEM):
        expected = _expected(architecture, (channels, *shape[1:]), classes)
        labels = _their_labels(shapes, expected)
        if labels is not None:
            return architecture, labels, classes
        alike = sum(shapes[label] == size for label, size in expected.items() if label in shapes)
        if nearest is None or alike > nearest[0]:
            nearest = alike, architecture, expected
    assert nearest is not None
    raise InputError(_unlike(shapes, nearest[1], nearest[2], shape, name))


def _classes(shapes: Shapes, name: str) -> int:
    """Return how many classes the last linear layer tells apart."""
    rows = [size[0] for size in shapes.values() if len(size) == 2]
    # safetensors sorts by name: then the last layer is the linear one whose bias alone has its length.
    biases = [shapes.get(f"{layer}.bias", ()) for layer in ("fc", "linear", "classify", "classifier", "head")]
    heads = [size[0] for size in biases if len(size) == 1]
    if not rows:
        raise InputError(f"{name} has no linear layer that gives classes: give the weights of an image classifier.")
    classes = heads[0] if heads else rows[-1]
    if not 2 <= classes <= MOST_CLASSES:
        raise InputError(f"{name} tells {classes} classes apart; a classifier of 2 to {MOST_CLASSES} is expected.")
    return classes


def _channels(shapes: Shapes, images: Shape) -> int:
    """Return how many channels the first convolution reads; without one, those of the images."""
    named = [shapes[label] for label in ("conv1.weight", "features.0.weight", "patches.weight") if label in shapes]
    kernels = [size for size in (*named, *shapes.values()) if len(size) == 4]
    return kernels[0][1] if kernels else images[0]


def _check_channels(channels: int, shape: Shape, name: str) -> None:
    if channels != shape[0]:
        raise InputError(
            f"{name} reads images of {channels} channel{'s' if channels > 1 else ''}, but the data set's have "
            f"{shape[0]}: choose the data set that it was trained on."
        )


def _expected(architecture: str, shape: Shape, classes: int) -> Shapes:
    """Return the names and shapes of a network's weights, without making any."""
    with torch.device("meta"):
        network = build_network(architecture, shape, classes)
    return {
        label: tuple(tensor.shape)
        for label, tensor in network.state_dict().items()
        if not label.startswith("normalize.") and not label.endswith("num_batches_tracked")
    }


def _their_labels(shapes: Shapes, expected: Shapes) -> dict[str, str] | None:
    """Return the file's name for each of our weights: told by names, else by order alone; None if they do not fit."""
    if shapes == expected:
        return {label: label for label in shapes}
    if _with_our_names(shapes) == expected:
        return {_our_name(label): label for label in shapes}
    if [(_role(label), size) for label, size in shapes.items()] == [
        (_role(label), size) for label, size in expected.items()
    ]:
        return dict(zip(expected, shapes, strict=True))
    return None


def _with_our_names(shapes: Shapes) -> Shapes:
    return {_our_name(label): size for label, size in shapes.items()}


def _our_name(label: str) -> str:
    for theirs, ours in _ALIASES:
        # A whole word of the name: "fc." has to stay "fc.", and "sublinear." is another layer.
        if label.startswith(theirs) or f".{theirs}" in label:
            label = label.replace(theirs, ours)
    return label


def _role(label: str) -> str:
    return label.rsplit(".", 1)[-1]


def _is_normalisation(label: str) -> bool:
    return _role(label) in ("mean", "std")


def _first_layer(file: WeightsFile) -> tuple[Numbers, Numbers] | None:
    """Return mean and deviation a channel where the file has a layer of these two; None where it has none."""
    pairs = [label.removesuffix("std") for label in file.shapes if _role(label) == "std"]
    for parent in pairs:
        labels = f"{parent}mean", f"{parent}std"
        sizes = [prod(file.shapes.get(label, (0,))) for label in labels]
        if sizes[0] == sizes[1] and 1 <= sizes[0] <= _MOST_CHANNELS:
            mean, std = (tuple(file.tensor(label).flatten().tolist()) for label in labels)
            if all(std):
                return mean, std
    return None


def set_normalisation(network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Let a network's first layer subtract `mean` and divide by `std`, one number a channel each."""
    first = cast("Normalize", network.normalize)
    first.mean.copy_(torch.tensor(mean).view(1, -1, 1, 1))
    first.std.copy_(torch.tensor(std).view(1, -1, 1, 1))


def _unlike(shapes: Shapes, architecture: str, expected: Shapes, shape: Shape, name: str) -> str:
    """Say which layers differ from the nearest architecture."""
    renamed = max((shapes, _with_our_names(shapes)), key=lambda names: len(set(names) & set(expected)))
    other = [
        f"{label} is {list(renamed[label])} instead of {list(size)}"
        for label, size in expected.items()
        if label in renamed and renamed[label] != size
    ]
    missing = [f"{label} is missing" for label in expected if label not in renamed]
    unknown = [f"{printable(label)} is unknown" for label in renamed if label not in expected]
    differences = [*other, *missing, *unknown]
    shown = "; ".join(differences[:3]) + (f"; and {len(differences) - 3} more" if len(differences) > 3 else "")
    return (
        f"{name} fits none of the architectures that are known here; nearest, for images of {shape[2]}x{shape[1]}, is "
        f"{network_title(architecture)}, but {shown}: export the model to ONNX, which needs no architecture."
    )
