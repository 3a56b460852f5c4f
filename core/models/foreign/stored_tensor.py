"""A tensor as it lies in a file: where its numbers are, of what kind, and how they become float32."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import BinaryIO

import numpy as np

from core.errors import InputError, printable

_MOST_DIMENSIONS, _LARGEST_SIZE = 8, 2**40
_FLOATS = {"float32": "f4", "float16": "f2", "float64": "f8"}
# Kinds that numpy does not have are read as whole numbers of the same width.
BYTES_EACH = {
    **{"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1},
    **{"int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1},
    **{"complex64": 8, "complex128": 16},
}


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies in its file. Nothing of it is believed before `check`.

    Attributes
    ----------
    kind
        What torch calls its numbers, such as "float32".
    shape, strides
        Its sizes, and how many numbers lie from one index to the next, for each dimension.
    start
        Where its first number lies in the file, in bytes.
    length
        How many bytes from there on belong to it.
    big_endian
        Whether the first byte of a number is its largest.
    """

    kind: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    start: int
    length: int
    big_endian: bool = False

    @property
    def claimed(self) -> int:
        """How many bytes its numbers would take, each once."""
        return prod(self.shape) * BYTES_EACH[self.kind]

    def check(self, label: str) -> None:
        """Raise InputError unless it is a dense tensor of fractions that lies where it may.

        Parameters
        ----------
        label
            What to call it in the sentence.
        """
        numbers = (*self.shape, *self.strides, self.start, self.length)
        whole = all(type(number) is int and 0 <= number <= _LARGEST_SIZE for number in numbers)
        if not whole or len(self.shape) != len(self.strides) or len(self.shape) > _MOST_DIMENSIONS:
            raise InputError(f"{label} has a shape that no layer here has, so it is not read: save the weights anew.")
        if self.kind not in BYTES_EACH or not self.kind.startswith(("float", "bfloat")):
            raise InputError(
                f"{label} holds {printable(self.kind, 20)} numbers, not fractions: save the weights as float32, not "
                "quantised."
            )
        if max(self.claimed, self._extent * BYTES_EACH[self.kind]) > self.length:
            raise InputError(f"{label} promises more numbers than the file holds, so it is not read.")

    @property
    def _extent(self) -> int:
        """How many numbers lie from its first to its last one."""
        if 0 in self.shape:
            return 0
        return 1 + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))

    def floats(self, file: BinaryIO, label: str) -> np.ndarray:
        """Return its numbers as float32; InputError if they are cut off, or are not all finite.

        Parameters
        ----------
        file
            The file, open for reading.
        label
            What to call it in the sentence.
        """
        file.seek(self.start)
        content = file.read(self._extent * BYTES_EACH[self.kind])
        if len(content) < self._extent * BYTES_EACH[self.kind]:
            raise InputError(f"{label} promises more numbers than the file holds, so it is not read.")
        flat = _as_floats(content, self.kind, ">" if self.big_endian else "<")
        strides = [stride * flat.itemsize for stride in self.strides]
        numbers = np.ascontiguousarray(np.lib.stride_tricks.as_strided(flat, self.shape, strides))
        if not np.isfinite(numbers).all():
            raise InputError(f"{label} holds NaN or infinite weights, so nothing can be measured with it.")
        return numbers


def _as_floats(content: bytes, kind: str, order: str) -> np.ndarray:
    if kind in _FLOATS:
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused
            return np.frombuffer(content, order + _FLOATS[kind]).astype(np.float32)
    if kind == "bfloat16":  # the upper half of a float32
        return (np.frombuffer(content, f"{order}u2").astype(np.uint32) << 16).view(np.float32)
    if kind == "float8_e5m2":  # the upper half of a float16
        return (np.frombuffer(content, np.uint8).astype(np.uint16) << 8).view(np.float16).astype(np.float32)
    return _E4M3[np.frombuffer(content, np.uint8)]


def _e4m3() -> np.ndarray:
    """Return what each of the 256 numbers of float8_e4m3fn is worth (Micikevicius et al. 2022, arXiv 2209.05433)."""
    codes = np.arange(256)
    exponent, fraction = codes >> 3 & 15, codes & 7
    size = np.where(exponent == 0, fraction / 8 * 2.0**-6, (1 + fraction / 8) * 2.0 ** (exponent - 7.0))
    size[(codes & 127) == 127] = np.nan
    return np.where(codes < 128, size, -size).astype(np.float32)


_E4M3 = _e4m3()
