"""Reading a model file that nobody vouches for: safetensors, and PyTorch's files without running what is in them."""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from core.errors import InputError
from core.zip_directory import directory_length, stored_members

FileKind = Literal["run", "safetensors", "PyTorch", "ONNX"]

LARGEST_FILE = 8 * 2**30
_LARGEST_HEADER = 100_000_000  # safetensors' own limit
_MOST_RECORDS = 100_000
MANIFEST = "triggerscope.json"
# Where others keep the weights among other things, in the order in which they are looked for.
_KEYS = ("model", "state_dict", "model_state_dict", "net", "network", "weights", "params")


@dataclass(frozen=True, eq=False)
class WeightsFile:
    """The tensors of a model file, and what it says beside them.

    Attributes
    ----------
    format
        "safetensors" or "PyTorch".
    weights
        float32 tensors by the names that the file gives them, without what all names begin with; whole-number counters
        are left out.
    prefix
        What all names began with, such as "module."; "" if nothing.
    key
        Under which key of the file they lay; "" if they were the file.
    classes
        How many classes the file says it tells apart; None if it does not say.
    made_on
        The data set that the file names; "" if it names none.
    """

    format: FileKind
    weights: dict[str, Tensor]
    prefix: str
    key: str
    classes: int | None
    made_on: str


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


def read_weights(path: Path, kind: FileKind, name: str | None = None) -> WeightsFile:
    """Return the weights in a safetensors or PyTorch file; code in it is never run.

    Raises
    ------
    InputError
        The file is damaged, holds anything but tensors, numbers, strings and numpy arrays, or no weights.
    """
    name = name or path.name
    if kind == "safetensors":
        return _weights_file("safetensors", _read_safetensors(path, name), "", {}, path, name)
    content = _read_pytorch(path, name)
    key, weights = _state_dict(content, name)
    return _weights_file("PyTorch", weights, key, content if key else {}, path, name)


def _read_safetensors(path: Path, name: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, json.JSONDecodeError, RuntimeError) as error:
        reason = re.sub(r"\s+", " ", str(error))[:120]
        raise InputError(
            f"{name} is cut off or no safetensors file as the format has it ({reason}): copy the whole file again."
        ) from None


def _read_pytorch(path: Path, name: str) -> Any:
    """Unpickle with tensors, plain Python values and numpy arrays allowed, and nothing else."""
    is_zip = zipfile.is_zipfile(path)
    try:
        with torch.serialization.safe_globals(_numpy_types()):
            # Mapped, so that a storage that claims more bytes than there are cannot reach beyond the file.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)|(?:type|class) <class '([\w.]+)'>", str(error))
        if found is None:
            raise InputError(_damaged(name)) from None
        raise InputError(
            f"{name} asks for {found[1] or found[2]}, neither a tensor nor a plain value, and such a file could run "
            "code: it was not opened; give its state dict (torch.save of model.state_dict()), or ONNX."
        ) from None
    except Exception:  # damaged files raise whatever their first wrong byte leads to
        raise InputError(_damaged(name)) from None


def _damaged(name: str) -> str:
    return f"{name} is cut off or no PyTorch file of tensors: copy the whole file again, or save the state dict anew."


def _numpy_types() -> list[Any]:
    """Return what an array of numbers, truth values or text is pickled as, under its names of numpy 1 and 2."""
    import numpy as np
    from numpy._core import multiarray

    plain = [
        type(np.dtype(kind))
        for kind in ("?", "b", "h", "i", "l", "q", "B", "H", "I", "L", "Q", "e", "f", "d", "U1", "S1")
    ]
    reconstruct, scalar = multiarray._reconstruct, multiarray.scalar
    old = [(reconstruct, "numpy.core.multiarray._reconstruct"), (scalar, "numpy.core.multiarray.scalar")]
    return [np.ndarray, np.dtype, reconstruct, scalar, *old, *plain]


def _state_dict(content: Any, name: str) -> tuple[str, dict[str, Tensor]]:
    """Return the weights in what a file holds, and the key that they lie under."""
    if not isinstance(content, Mapping):
        raise InputError(
            f"{name} holds {_called(content)} where a state dict is expected: save model.state_dict() with torch.save."
        )
    if _is_weights(content):
        return "", dict(content)
    found = {str(key): dict(value) for key, value in content.items() if _is_weights(value)}
    key = next((key for key in _KEYS if key in found), None) or next(iter(found), None)
    if key is None:
        inside = ", ".join(str(key)[:30] for key in list(content)[:5]) or "nothing"
        raise InputError(
            f"{name} holds no weights (it holds: {inside}): save model.state_dict() with torch.save, alone or under "
            "the key 'model'."
        )
    return key, found[key]


def _is_weights(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and any(isinstance(key, str) and key.endswith("weight") for key in value)
        and all(isinstance(key, str) and isinstance(tensor, Tensor) for key, tensor in value.items())
    )


def _called(content: Any) -> str:
    return {list: "a list", tuple: "a tuple", str: "a text", Tensor: "a single tensor"}.get(
        type(content), f"something of type {type(content).__name__}"
    )


def _weights_file(
    kind: FileKind, tensors: dict[str, Tensor], key: str, beside: Mapping[Any, Any], path: Path, name: str
) -> WeightsFile:
    if not tensors:
        raise InputError(f"{name} holds no tensors: give a file with the weights of a network.")
    _check_lengths(tensors, path, name)
    prefix = _common_prefix(list(tensors))
    weights = {
        label.removeprefix(prefix): _as_float(tensor, label, name)
        for label, tensor in tensors.items()
        if not label.endswith("num_batches_tracked")
    }
    classes, made_on = beside.get("num_classes"), beside.get("clean_data")
    return WeightsFile(
        format=kind,
        weights=weights,
        prefix=prefix,
        key=key,
        classes=classes if isinstance(classes, int) else None,
        made_on=made_on[:40] if isinstance(made_on, str) and made_on.isprintable() else "",
    )


def _check_lengths(tensors: dict[str, Tensor], path: Path, name: str) -> None:
    """Refuse tensors that promise more numbers than the file holds, which strides of 0 can do."""
    total = 0
    for label, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise InputError(f"{name}: {label[:80]} is no dense tensor of plain numbers: save the weights as float32.")
        length = tensor.numel() * tensor.element_size()
        total += length
        # Twice, since weights that two layers share are counted twice.
        if length > tensor.untyped_storage().nbytes() or total > 2 * path.stat().st_size:
            raise InputError(f"{name}: {label[:80]} promises more numbers than the file holds, so it is not read.")


def _common_prefix(labels: list[str]) -> str:
    """Return what all names begin with, whole parts only, such as "module."; one part of each name is left."""
    parts = [label.split(".") for label in labels]
    shared = 0
    while all(len(one) > shared + 1 and one[shared] == parts[0][shared] for one in parts):
        shared += 1
    # A lone layer's "weight" and "bias" need their layer's name.
    shared = min(shared, min(len(one) for one in parts) - 2)
    return "".join(f"{part}." for part in parts[0][: max(0, shared)])


def _as_float(tensor: Tensor, label: str, name: str) -> Tensor:
    if not tensor.is_floating_point():
        raise InputError(
            f"{name}: {label[:80]} holds {str(tensor.dtype).removeprefix('torch.')} numbers, not fractions: save the "
            "weights as float32, not quantised."
        )
    copied = tensor.detach().to(torch.float32, copy=True).contiguous()
    if not copied.isfinite().all():
        raise InputError(f"{name}: {label[:80]} holds NaN or infinite weights, so nothing can be measured with it.")
    return copied
