"""Models that somebody else trained: what a file holds, and the network or session that computes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InputError, printable
from core.models.foreign.file import FileKind, WeightsFile, file_kind, open_weights
from core.models.foreign.match import (
    Match,
    build_network,
    match_network,
    network_title,
    reads_any_size,
    set_normalisation,
)
from core.models.foreign.onnx_model import ChannelOrder, Interface, OnnxClassifier, read_interface
from core.models.foreign.orders import reorder_classes, swap_colours

if TYPE_CHECKING:
    from torch import Tensor, nn

Shape = tuple[int, int, int]
Numbers = tuple[float, ...]
ONNX = "onnx"
_MOST_NAMED = 4

__all__ = ["InspectedFile", "build_network", "file_kind", "inspect_model"]


@dataclass(frozen=True, eq=False)
class InspectedFile:
    """What a model file turned out to be.

    Attributes
    ----------
    file, sha256
        Its name and the SHA-256 of its content.
    format
        "safetensors", "PyTorch" or "ONNX".
    architecture, title
        What `build_network` is asked for, or "onnx"; and how people call it.
    shape
        (channels, height, width) of the images that it was opened for.
    any_size
        Whether it would read images of any size.
    classes
        Number of classes K that it tells apart.
    weights
        How many numbers it has learned.
    normalised
        Mean and deviation a channel, if the file says itself what its first layer does.
    notes
        Sentences on what had to be assumed.
    class_names
        Names of its outputs in their order, if the file says them; else nothing.
    interface
        How an ONNX file is asked; None for others.
    network
        The network with its weights; None for ONNX.
    path
        Where the file lies.
    """

    file: str
    sha256: str
    format: FileKind
    architecture: str
    title: str
    shape: Shape
    any_size: bool
    classes: int
    weights: int
    normalised: tuple[Numbers, Numbers] | None
    notes: tuple[str, ...]
    class_names: tuple[str, ...]
    interface: Interface | None
    network: nn.Module | None
    path: Path

    def model(self, mean: Numbers, std: Numbers) -> Callable[[Tensor], Tensor]:
        """Return the model on images in [0, 1], its first layer subtracting `mean` and dividing by `std`."""
        if self.interface is not None:
            return OnnxClassifier(self.path, self.interface, mean, std)
        assert self.network is not None
        set_normalisation(self.network, mean, std)
        return self.network

    def model_in_our_order(
        self, mean: Numbers, std: Numbers, channels: ChannelOrder, classes: tuple[int, ...] | None
    ) -> Callable[[Tensor], Tensor]:
        """Return a model that takes RGB images and answers in the data set's order of classes.

        A network's own weights are put into another order for that, in a copy.

        Parameters
        ----------
        mean, std
            Of red, green and blue.
        channels
            The order in which the file takes colours.
        classes
            For each class of the data set the place of its number in the file's answer; None where the orders are one.
        """
        if self.interface is not None:
            return OnnxClassifier(self.path, self.interface, mean, std, channels, classes)
        assert self.network is not None
        network = deepcopy(self.network)
        set_normalisation(network, mean, std)
        if channels == "BGR":
            swap_colours(network, self.shape[0])
        if classes is not None:
            reorder_classes(network, classes)
        return network

    @property
    def interface_values(self) -> dict[str, Any] | None:
        """The interface as plain values, for a spec."""
        return None if self.interface is None else self.interface.values


def inspect_model(path: Path, shape: Shape, classes: int = 0, name: str | None = None) -> InspectedFile:
    """Open a safetensors, PyTorch or ONNX file and say what is in it; nothing in it is run as a program.

    Parameters
    ----------
    path
        The file.
    shape
        (channels, height, width) of the images that it will be shown: not every file says what it was made for.
    classes
        Number of their classes, which tells an ONNX file's outputs apart; 0 if it is not known.
    name
        What to call it, by default its own name.

    Raises
    ------
    InputError
        It cannot be opened, would run code, fits no architecture, or reads other images.
    """
    name = name or path.name
    kind = file_kind(path, name)
    if kind == "run":
        raise InputError(f"{name} is a run of this program: import it instead of loading it as a model.")
    if kind == "ONNX":
        return _inspect_onnx(path, shape, classes, name)
    with open_weights(path, kind, name) as file:
        match = match_network(file, shape, name)
    return InspectedFile(
        file=name,
        sha256=_digest(path),
        format=kind,
        architecture=match.architecture,
        title=network_title(match.architecture),
        shape=shape,
        any_size=reads_any_size(match.architecture),
        classes=_classes(match.network),
        weights=sum(weight.numel() for weight in match.network.parameters()),
        normalised=match.normalised,
        notes=_notes(file, match),
        class_names=file.classes,
        interface=None,
        network=match.network,
        path=path,
    )


def _inspect_onnx(path: Path, shape: Shape, classes: int, name: str) -> InspectedFile:
    interface = read_interface(path, shape, classes, name)
    notes = ["It answers probabilities; their logarithms are taken as logits."] if interface.probabilities else []
    if interface.other_outputs:
        notes.append(f"Its output '{interface.output}' is read; not read: {', '.join(interface.other_outputs)}.")
    return InspectedFile(
        file=name,
        sha256=_digest(path),
        format="ONNX",
        architecture=ONNX,
        title="ONNX network",
        shape=shape,
        any_size=False,
        classes=interface.classes,
        weights=interface.weights,
        normalised=None,
        notes=tuple(notes),
        class_names=(),
        interface=interface,
        network=None,
        path=path,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _classes(network: nn.Module) -> int:
    return [tensor.shape[0] for tensor in network.state_dict().values() if tensor.ndim == 2][-1]


def _notes(file: WeightsFile, match: Match) -> tuple[str, ...]:
    notes = []
    if file.key:
        notes.append(f"The weights lay under the key '{file.key}'.")
    if file.prefix or match.prefix:
        notes.append(f"The names of its layers begin with '{file.prefix}{match.prefix}', which was left out.")
    if match.by_order:
        notes.append("The layers' names are others: they were told by their order and shapes.")
    if match.left_out:
        names = ", ".join(printable(label, 60) for label in match.left_out[:_MOST_NAMED])
        more = len(match.left_out) - _MOST_NAMED
        notes.append(f"Left out, since no layer has it: {names}{f' and {more} more' if more > 0 else ''}.")
    if match.normalised is None or match.prefix or file.prefix or file.key:
        notes.append(
            "Names and shapes fit, but weights do not show what is computed between them (activations, pooling): if "
            "it was another network, W is another. An ONNX file leaves no such doubt."
        )
    if file.made_on:
        notes.append(f"The file says that it was trained on '{file.made_on}'.")
    return tuple(notes)
