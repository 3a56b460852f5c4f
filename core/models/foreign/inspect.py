"""Models that somebody else trained: what a file holds, and the network or session that computes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InputError
from core.models.foreign.file import FileKind, WeightsFile, file_kind, open_weights
from core.models.foreign.match import (
    Match,
    build_network,
    match_network,
    network_title,
    reads_any_size,
    set_normalisation,
)
from core.models.foreign.onnx_model import Interface, OnnxClassifier, read_interface

if TYPE_CHECKING:
    from torch import Tensor, nn

Shape = tuple[int, int, int]
Numbers = tuple[float, ...]
ONNX = "onnx"

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

    @property
    def interface_values(self) -> dict[str, Any] | None:
        """The interface as plain values, for a spec."""
        return None if self.interface is None else asdict(self.interface)


def inspect_model(path: Path, shape: Shape, name: str | None = None) -> InspectedFile:
    """Open a safetensors, PyTorch or ONNX file and say what is in it; nothing in it is run as a program.

    Parameters
    ----------
    path
        The file.
    shape
        (channels, height, width) of the images that it will be shown: not every file says what it was made for.
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
        return _inspect_onnx(path, shape, name)
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
        normalised=_first_layer(match),
        notes=_notes(file, match),
        interface=None,
        network=match.network,
        path=path,
    )


def _inspect_onnx(path: Path, shape: Shape, name: str) -> InspectedFile:
    interface = read_interface(path, shape, name)
    notes = ("It answers probabilities; their logarithms are taken as logits.",) if interface.probabilities else ()
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
        notes=notes,
        interface=interface,
        network=None,
        path=path,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _classes(network: nn.Module) -> int:
    return [tensor.shape[0] for tensor in network.state_dict().values() if tensor.ndim == 2][-1]


def _first_layer(match: Match) -> tuple[Numbers, Numbers] | None:
    if not match.normalised:
        return None
    state = match.network.state_dict()
    mean, std = (tuple(state[f"normalize.{name}"].flatten().tolist()) for name in ("mean", "std"))
    return mean, std


def _notes(file: WeightsFile, match: Match) -> tuple[str, ...]:
    notes = []
    if file.key:
        notes.append(f"The weights lay under the key '{file.key}'.")
    if file.prefix:
        notes.append(f"All names began with '{file.prefix}', which was left out.")
    if match.by_order:
        notes.append("The layers' names are others: they were told by their order and shapes.")
    if file.made_on:
        notes.append(f"The file says that it was trained on '{file.made_on}'.")
    return tuple(notes)
