"""Whether stored weights fit a network, told by their names and shapes before either is made."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from core.errors import InputError, printable
from core.models.foreign.file import open_weights
from core.models.foreign.match import MOST_CLASSES, build_network
from core.models.foreign.onnx_model import read_interface

LARGEST_SIDE, MOST_WEIGHTS = 1024, 10**9


def check_network(weights: Path, architecture: str, shape: tuple[int, int, int], classes: int) -> None:
    """Raise InputError unless a safetensors file holds the weights of such a network, by name and shape.

    The network is not made: a made-up shape may stand for more memory than there is. The weights are read, one at a
    time in a process apart, since NaN among them would count as votes.
    """
    _check_sizes(shape, classes)
    with torch.device("meta"):
        state = build_network(architecture, shape, classes).state_dict()
    if sum(tensor.numel() for tensor in state.values()) > MOST_WEIGHTS:
        raise InputError("its network has more weights than a run here has.")
    expected = {
        label: tuple(tensor.shape) for label, tensor in state.items() if not label.endswith("num_batches_tracked")
    }
    with open_weights(weights, "safetensors", "its file of weights") as file:
        if file.shapes != expected or file.prefix:
            differing = {label for label, _ in set(file.shapes.items()) ^ set(expected.items())}
            raise InputError(
                f"its weights do not fit the network that it names ({printable(min(differing, default=''))} differs)."
            )
        for label in file.shapes:
            file.tensor(label)  # which refuses what is not finite


def check_onnx(path: Path, shape: tuple[int, int, int], sha256: str, interface: dict[str, Any]) -> None:
    """Raise InputError unless an ONNX file is the one that a spec names, and is asked as the spec says."""
    _check_sizes(shape, int(interface.get("classes", 0)))
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise InputError("its model is another file than its spec names.")
    if read_interface(path, shape, int(interface.get("classes", 0)), "its model").values != interface:
        raise InputError("its model is not asked as its spec says.")


def _check_sizes(shape: tuple[int, int, int], classes: int) -> None:
    whole = all(isinstance(size, int) and size > 0 for size in (*shape, classes)) and len(shape) == 3
    if not whole or shape[0] > 4 or max(shape) > LARGEST_SIDE or classes > MOST_CLASSES:
        raise InputError(f"its images of {list(shape)} and {classes} classes are none that a run here has.")
