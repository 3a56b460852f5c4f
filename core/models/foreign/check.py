"""Whether stored weights fit a network, told by their names and shapes before either is made."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from core.errors import InputError
from core.models.foreign.match import build_network
from core.models.foreign.onnx import read_interface

LARGEST_SIDE, MOST_CLASSES, MOST_WEIGHTS = 1024, 100_000, 10**9


def check_network(weights: Path, architecture: str, shape: tuple[int, int, int], classes: int) -> None:
    """Raise InputError unless a safetensors file holds the weights of such a network, by name and shape.

    Neither the network nor the weights are made: a made-up shape may stand for more memory than there is.
    """
    _check_sizes(shape, classes)
    with torch.device("meta"):
        state = build_network(architecture, shape, classes).state_dict()
    expected = {name: list(tensor.shape) for name, tensor in state.items()}
    if sum(tensor.numel() for tensor in state.values()) > MOST_WEIGHTS:
        raise InputError("its network has more weights than a run here has.")
    found = _stored_shapes(weights)
    if found != expected:
        names = [name for name in expected if found.get(name) != expected[name]] or sorted(set(found) - set(expected))
        raise InputError(f"its weights do not fit the network that it names ({names[0][:60]} differs).")


def check_onnx(path: Path, shape: tuple[int, int, int], sha256: str, interface: dict[str, Any]) -> None:
    """Raise InputError unless an ONNX file is the one that a spec names, and is asked as the spec says."""
    _check_sizes(shape, int(interface.get("classes", 0)))
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise InputError("its model is another file than its spec names.")
    if asdict(read_interface(path, shape, "its model")) != interface:
        raise InputError("its model is not asked as its spec says.")


def _check_sizes(shape: tuple[int, int, int], classes: int) -> None:
    whole = all(isinstance(size, int) and size > 0 for size in (*shape, classes)) and len(shape) == 3
    if not whole or shape[0] > 4 or max(shape) > LARGEST_SIDE or classes > MOST_CLASSES:
        raise InputError(f"its images of {list(shape)} and {classes} classes are none that a run here has.")


def _stored_shapes(path: Path) -> dict[str, list[int]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError):
        raise InputError("its weights are missing, cut off or no safetensors file.") from None
