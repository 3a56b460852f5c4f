"""A model file that nobody vouches for: of what kind it is, and the weights in it, read in a process apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.errors import InputError
from core.files import directory_length, stored_members
from core.models.foreign.onnx_parts import model_in_zip
from core.models.foreign.sandbox import Sandbox

if TYPE_CHECKING:
    from torch import Tensor

FileKind = Literal["run", "safetensors", "PyTorch", "ONNX"]

LARGEST_FILE = 8 * 2**30
MANIFEST = "triggerscope.json"
_LARGEST_HEADER = 100_000_000  # safetensors' own limit
_MOST_RECORDS = 20_000
# Reading takes a file's own bytes, and one tensor in several forms at a time.
_MEMORY, _MEMORY_A_BYTE = 2**29, 3
_SECONDS, _BYTES_A_SECOND = 10, 20e6


def file_kind(path: Path, name: str | None = None) -> FileKind:
    """Return what kind of model file this is, judged by its first bytes and its list of members.

    Parameters
    ----------
    path
        The file.
    name
        What to call it in a sentence, by default its own name.

    Raises
    ------
    InputError
        It cannot be opened, is empty, too large, or of no kind that is known here.
    """
    name = name or path.name
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise InputError(f"{name} can't be opened ({error.strerror or error}): check its path.") from None
    if not size:
        raise InputError(f"{name} is empty (0 bytes): copy the whole file again.")
    if size > LARGEST_FILE:
        raise InputError(
            f"{name} has {size >> 30} GB; at most {LARGEST_FILE >> 30} GB are read: give the weights alone."
        )
    if head.startswith(b"PK"):
        return _zip_kind(path, name)
    if head[0] == 0x80 and head[1:2] <= b"\5":
        return "PyTorch"
    if len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") <= _LARGEST_HEADER:
        return "safetensors"
    if path.suffix.lower() == ".onnx" or name.lower().endswith(".onnx"):
        return "ONNX"
    raise InputError(
        f"{name} is no model file that is known here: give a run, safetensors, a PyTorch state dict (.pt, .pth) or an "
        "ONNX file."
    )


def _zip_kind(path: Path, name: str) -> FileKind:
    if directory_length(path) is None:
        raise InputError(f"{name} is only part of a file: copy the whole file again.")
    if model_in_zip(path) is not None:
        return "ONNX"
    members = stored_members(path, _MOST_RECORDS)
    if MANIFEST in members:
        return "run"
    folders = {member.split("/", 1)[0] for member in members}
    if any(f"{folder}/constants.pkl" in members for folder in folders):
        raise InputError(
            f"{name} is a TorchScript program, which would run code: give its state dict (torch.save of "
            "model.state_dict()), or export the model to ONNX."
        )
    if any(f"{folder}/data.pkl" in members for folder in folders):
        return "PyTorch"
    raise InputError(
        f"{name} is a ZIP file, but neither a run nor a PyTorch file: give the model file itself, or, for images, "
        "choose it as a data set."
    )


@dataclass(frozen=True, eq=False)
class WeightsFile:
    """A model file that is open in a process apart.

    Attributes
    ----------
    format
        "safetensors" or "PyTorch".
    shapes
        The shapes of its tensors by the names that the file gives them, without what all names begin with; whole-number
        counters are left out.
    prefix
        What all names began with, such as "module."; "" if nothing.
    key
        Under which key of the file they lay; "" if they were the file.
    left_out
        Names of tensors that count something and are no weights.
    classes
        Names of the model's outputs in their order, if the file says them; else nothing.
    made_on
        The data set that the file names; "" if it names none.
    """

    format: FileKind
    shapes: dict[str, tuple[int, ...]]
    prefix: str
    key: str
    left_out: tuple[str, ...]
    classes: tuple[str, ...]
    made_on: str
    _sandbox: Sandbox
    _seconds: float

    def tensor(self, label: str) -> Tensor:
        """Return one of its tensors as float32; InputError if it holds NaN or infinite numbers."""
        import torch

        length = 4 * prod(self.shapes[label])
        _, content = self._sandbox.ask("tensor", {"label": label}, seconds=self._seconds, expected=length)
        numbers = torch.frombuffer(bytearray(content), dtype=torch.float32) if length else torch.empty(0)
        return numbers.reshape(self.shapes[label])


@contextmanager
def open_weights(path: Path, kind: FileKind, name: str | None = None) -> Iterator[WeightsFile]:
    """Open a safetensors or PyTorch file in a process apart; nothing that it names is ever called.

    Parameters
    ----------
    path
        The file.
    kind
        What `file_kind` found.
    name
        What to call it in a sentence, by default its own name.

    Raises
    ------
    InputError
        The file is damaged, holds anything but tensors, numbers, strings and numpy arrays, or no weights; or reading it
        takes too much time or memory.
    """
    name, size = name or path.name, path.stat().st_size
    seconds = _SECONDS + size / _BYTES_A_SECOND
    advice = "save the state dict anew, and alone"
    memory = _MEMORY + _MEMORY_A_BYTE * size
    with Sandbox("core.models.foreign.weights_reader", name, advice, memory) as sandbox:
        values = {"path": str(path.resolve()), "kind": kind, "name": name}
        answer, _ = sandbox.ask("open", values, seconds=seconds)
        shapes = {label: tuple(shape) for label, shape in answer["shapes"].items()}
        yield WeightsFile(
            format=kind,
            shapes=shapes,
            prefix=answer["prefix"],
            key=answer["key"],
            left_out=tuple(answer["left_out"]),
            classes=tuple(answer["classes"]),
            made_on=answer["made_on"],
            _sandbox=sandbox,
            _seconds=seconds,
        )
