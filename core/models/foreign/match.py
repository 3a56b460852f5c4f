"""Which of our architectures a set of weights belongs to, whatever its layers are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from core.errors import InputError
from core.models.foreign.file import WeightsFile
from core.models.normalize import Normalize
from core.models.registry import Shape, architecture_names, build_model, describe

# ResNet-18 as torchvision builds it for photographs: known for loading only.
IMAGENET_STEM = "resnet-18-imagenet"
# What others call the parts that we call otherwise; tried when names do not match as they are.
_ALIASES = (("shortcut.", "downsample."), ("linear.", "fc."), ("classifier.", "fc."), ("head.", "fc."))


@dataclass(frozen=True, eq=False)
class Match:
    """A network that weights fit into.

    Attributes
    ----------
    architecture
        What `build_network` is asked for.
    network
        With the weights in it, in evaluation mode; its first layer does nothing unless the file says otherwise.
    normalised
        Whether the file said what its first layer does, as our own runs do.
    by_order
        Whether the layers were told by their order and shapes, since their names are others.
    """

    architecture: str
    network: nn.Module
    normalised: bool
    by_order: bool


def network_title(architecture: str) -> str:
    """Return how people call an architecture, those known for loading only among them."""
    return "ResNet-18 (7×7 stem)" if architecture == IMAGENET_STEM else describe(architecture).title


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
    normalised = {label: tensor for label, tensor in file.weights.items() if label.startswith("normalize.")}
    weights = {label: tensor for label, tensor in file.weights.items() if label not in normalised}
    classes, channels = _classes(weights, name), _channels(weights, shape)
    nearest: tuple[int, str, dict[str, torch.Size]] | None = None
    for architecture in (*architecture_names(), IMAGENET_STEM):
        expected = _expected(architecture, (channels, *shape[1:]), classes)
        renamed, by_order = _renamed(weights, expected)
        if renamed is not None:
            _check_channels(channels, shape, name)
            network = _filled(architecture, shape, classes, renamed, normalised)
            return Match(architecture, network, len(normalised) == 2, by_order)
        alike = sum(weights[label].shape == size for label, size in expected.items() if label in weights)
        if nearest is None or alike > nearest[0]:
            nearest = alike, architecture, expected
    assert nearest is not None
    raise InputError(_unlike(weights, nearest[1], nearest[2], shape, name))


def _classes(weights: dict[str, Tensor], name: str) -> int:
    """Return how many classes the last linear layer tells apart."""
    rows = [tensor.shape[0] for tensor in weights.values() if tensor.ndim == 2]
    # safetensors sorts by name: then the last layer is the linear one whose bias alone has its length.
    heads = [
        len(weights[f"{part}.bias"])
        for part in ("fc", "linear", "classify", "classifier", "head")
        if f"{part}.bias" in weights and weights[f"{part}.bias"].ndim == 1
    ]
    if not rows:
        raise InputError(f"{name} has no linear layer that gives classes: give the weights of an image classifier.")
    classes = heads[0] if heads else rows[-1]
    if classes < 2:
        raise InputError(f"{name} tells {classes} class apart; a classifier of at least 2 classes is expected.")
    return classes


def _channels(weights: dict[str, Tensor], shape: Shape) -> int:
    """Return how many channels the first convolution reads; without one, those of the images."""
    named = [weights[label] for label in ("conv1.weight", "features.0.weight", "patches.weight") if label in weights]
    kernels = [tensor for tensor in (*named, *weights.values()) if tensor.ndim == 4]
    return kernels[0].shape[1] if kernels else shape[0]


def _check_channels(channels: int, shape: Shape, name: str) -> None:
    if channels != shape[0]:
        raise InputError(
            f"{name} reads images of {channels} channel{'s' if channels > 1 else ''}, but the data set's have "
            f"{shape[0]}: choose the data set that it was trained on."
        )


def _expected(architecture: str, shape: Shape, classes: int) -> dict[str, torch.Size]:
    """Return the names and shapes of a network's weights, without making any."""
    with torch.device("meta"):
        network = build_network(architecture, shape, classes)
    return {
        label: tensor.shape
        for label, tensor in network.state_dict().items()
        if not label.startswith("normalize.") and not label.endswith("num_batches_tracked")
    }


def _renamed(weights: dict[str, Tensor], expected: dict[str, torch.Size]) -> tuple[dict[str, Tensor] | None, bool]:
    """Return the weights under our names (None if they do not fit), and whether they were told by their order alone."""
    for candidate in (weights, _with_our_names(weights)):
        if {label: tensor.shape for label, tensor in candidate.items()} == expected:
            return candidate, False
    theirs = [(_role(label), tensor.shape) for label, tensor in weights.items()]
    if theirs == [(_role(label), size) for label, size in expected.items()]:
        return dict(zip(expected, weights.values(), strict=True)), True
    return None, False


def _with_our_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for label, tensor in weights.items():
        ours = label
        for theirs, name in _ALIASES:
            # A whole part of the name: "fc." has to stay "fc.", and "sublinear." is another layer.
            if ours.startswith(theirs) or f".{theirs}" in ours:
                ours = ours.replace(theirs, name)
        renamed[ours] = tensor
    return renamed


def _role(label: str) -> str:
    return label.rsplit(".", 1)[-1]


def _filled(
    architecture: str, shape: Shape, classes: int, weights: dict[str, Tensor], normalised: dict[str, Tensor]
) -> nn.Module:
    network = build_network(architecture, shape, classes)
    network.load_state_dict(weights | _first_layer(normalised, shape[0]), strict=False)
    return network.eval()


def _first_layer(normalised: dict[str, Tensor], channels: int) -> dict[str, Tensor]:
    fits = {label: tensor for label, tensor in normalised.items() if tensor.shape == (1, channels, 1, 1)}
    return fits if len(fits) == 2 and bool((fits["normalize.std"] > 0).all()) else {}


def set_normalisation(network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Let a network's first layer subtract `mean` and divide by `std`, one number a channel each."""
    first = cast("Normalize", network.normalize)
    first.mean.copy_(torch.tensor(mean).view(1, -1, 1, 1))
    first.std.copy_(torch.tensor(std).view(1, -1, 1, 1))


def _unlike(
    weights: dict[str, Tensor], architecture: str, expected: dict[str, torch.Size], shape: Shape, name: str
) -> str:
    """Say which layers differ from the nearest architecture."""
    renamed = max((weights, _with_our_names(weights)), key=lambda names: len(set(names) & set(expected)))
    other = [
        f"{label} is {list(renamed[label].shape)} instead of {list(size)}"
        for label, size in expected.items()
        if label in renamed and renamed[label].shape != size
    ]
    missing = [f"{label} is missing" for label in expected if label not in renamed]
    unknown = [f"{label[:60]} is unknown" for label in renamed if label not in expected]
    differences = [*other, *missing, *unknown]
    shown = "; ".join(differences[:3]) + (f"; and {len(differences) - 3} more" if len(differences) > 3 else "")
    return (
        f"{name} fits none of the architectures that are known here; nearest, for images of {shape[2]}x{shape[1]}, is "
        f"{network_title(architecture)}, but {shown}: export the model to ONNX, which needs no architecture."
    )
