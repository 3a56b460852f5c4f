"""Gaussian noise that is named by (seed, key, draw), whatever batch or chunk it is made in."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from core.instruments.noise import KEYS

_MASK = 2**64 - 1
# torch transforms uniform numbers into normal ones in groups of sixteen; only whole groups make chunks equal one call.
_GROUP = 16
# Off the CPU the numbers depend on the size of the call as well, so calls there always make this many draws.
_BLOCK = 64


class NoiseStream:
    """The noise of one image: draws 0, 1, 2, ... of standard normal pixels, always the same for a seed and a key.

    Draws are the same bits however many are taken at a time. Different keys give independent noise; the same key gives
    the same noise, which is what makes the difference between a clean image and its triggered version a paired one.
    The CPU and an accelerator make different noise from the same seed.

    Parameters
    ----------
    seed
        Any whole number.
    key
        Whole number in [0, `KEYS`), naming the image.
    shape
        (channels, height, width).
    device
        Where the noise is made.
    first
        Number of draws to leave out.
    """

    def __init__(self, seed: int, key: int, shape: tuple[int, ...], device: torch.device, first: int = 0) -> None:
        self._shape = shape
        self._pixels = math.prod(shape)
        self._padded = -(-self._pixels // _GROUP) * _GROUP
        self._device = device
        self._seed, self._key = int(seed), int(key)
        self._generator = torch.Generator(device)
        self._next = first
        self._block: tuple[int, Tensor] | None = None
        if device.type == "cpu":
            self._generator.manual_seed(_cpu_seed(self._seed, self._key))
            self._skip(first)

    def take(self, draws: int) -> Tensor:
        """Return the next draws, float32 [draws, C, H, W]."""
        if self._device.type == "cpu":
            return self._stream(draws)
        return self._blocks(draws)

    def _stream(self, draws: int) -> Tensor:
        noise = torch.empty(draws, self._padded).normal_(generator=self._generator)
        return noise[:, : self._pixels].reshape(draws, *self._shape)

    def _skip(self, draws: int) -> None:
        for start in range(0, draws, _BLOCK):
            self._stream(min(_BLOCK, draws - start))

    def _blocks(self, draws: int) -> Tensor:
        parts = []
        while draws:
            number, place = divmod(self._next, _BLOCK)
            part = self._whole_block(number)[place : place + draws]
            parts.append(part)
            self._next += len(part)
            draws -= len(part)
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _whole_block(self, number: int) -> Tensor:
        if self._block is None or self._block[0] != number:
            self._generator.manual_seed(_mix(_mix(_mix(self._seed) + self._key) + number))
            noise = torch.empty(_BLOCK, *self._shape, device=self._device).normal_(generator=self._generator)
            self._block = number, noise
        return self._block[1]


def _cpu_seed(seed: int, key: int) -> int:
    # torch's CPU generator reads 32 bits of its seed. A hash would make two of ten thousand images share their noise
    # in one run of a hundred; a permutation of the keys, another one for each seed, never does.
    mixed = _mix(seed)
    return _permute((key + mixed) % KEYS) ^ (mixed >> 32)


def _mix(number: int) -> int:
    """Return splitmix64's output for a 64-bit state (Steele, Lea and Flood 2014)."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def _permute(number: int) -> int:
    """Return MurmurHash3's 32-bit finaliser, a permutation of the 32-bit numbers (Appleby 2011)."""
    number = ((number ^ (number >> 16)) * 0x85EBCA6B) % KEYS
    number = ((number ^ (number >> 13)) * 0xC2B2AE35) % KEYS
    return number ^ (number >> 16)
