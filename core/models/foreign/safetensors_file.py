"""The list of tensors at the head of a safetensors file, read as the format has it and not believed.

Its layout: https://huggingface.co/docs/safetensors, section "Format".
"""

from __future__ import annotations

import json
from math import prod
from typing import Any, BinaryIO

from core.errors import InputError, printable
from core.models.foreign.stored_tensor import BYTES_EACH, StoredTensor

_LARGEST_LIST = 4 * 2**20
_KINDS = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"},
    **{"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "BOOL": "bool"},
    **{"U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8"},
}


def read_safetensors(file: BinaryIO, size: int, name: str) -> dict[str, StoredTensor]:
    """Return where each tensor of a safetensors file lies.

    Parameters
    ----------
    file, size
        The file, open for reading, and its length in bytes.
    name
        What to call it in a sentence.

    Raises
    ------
    InputError
        It is cut off, or is not as the format has it; tensors overlap, or leave a gap.
    """
    length = int.from_bytes(file.read(8), "little")
    if _LARGEST_LIST < length <= size - 8:
        raise InputError(f"{name} has a list of tensors of {length >> 20} MB: give the weights of an image classifier.")
    if length > size - 8:
        raise _damaged(name, "its list of tensors is cut off")
    try:
        entries = json.loads(file.read(length), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        raise _damaged(name, "its list of tensors is no JSON object") from None
    if not isinstance(entries, dict):
        raise _damaged(name, "its list of tensors is no JSON object")
    entries.pop("__metadata__", None)
    tensors = {label: _tensor(entry, 8 + length, label, name) for label, entry in entries.items()}
    end = 8 + length
    for label, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].length)):
        if tensor.start != end:
            raise _damaged(name, f"{printable(label)} does not begin where the one before it ends")
        end += tensor.length
    if end != size:
        raise _damaged(name, f"it has {size} bytes where {end} are expected")
    return tensors


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("two entries of one name")
    return content


def _tensor(entry: Any, data: int, label: str, name: str) -> StoredTensor:
    try:
        kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        if not all(type(number) is int and 0 <= number < 2**48 for number in (*shape, begin, end)) or begin > end:
            raise ValueError
    except (TypeError, KeyError, ValueError):
        raise _damaged(name, f"its entry for {printable(label)} is damaged") from None
    if kind not in _KINDS:
        raise InputError(
            f"{name}: {printable(label)} holds {printable(str(kind), 20)} numbers, which are not known here: save the "
            "weights as float32."
        )
    if prod(shape) * BYTES_EACH[_KINDS[kind]] != end - begin:
        raise _damaged(name, f"{printable(label)} has another length than its shape says")
    strides = tuple(prod(shape[place + 1 :]) for place in range(len(shape)))
    return StoredTensor(_KINDS[kind], shape, strides, data + begin, end - begin)


def _damaged(name: str, reason: str) -> InputError:
    return InputError(
        f"{name} is cut off or no safetensors file as the format has it ({reason}): copy the whole file again."
    )
