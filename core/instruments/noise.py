"""Which Gaussian noise is added to images: all that decides it, checked once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Bool, Integer

KEYS = 2**32
"""Keys are whole numbers from 0 to this, exclusive."""


@dataclass(frozen=True, eq=False)
class Noise:
    """Gaussian noise around images: with the model and the images it decides every vote.

    Draw j of an image is named by (seed, key, j): it is the same noise whatever other images or draws are taken.

    Parameters
    ----------
    sigma
        Standard deviation of the noise in units of pixels in [0, 1], added before the model's own normalisation.
    draws
        Noisy copies of each image: one number for all of them, or one for each.
    seed
        Names the noise, together with the keys.
    keys
        One whole number in [0, `KEYS`) for each image, by default 0..N-1. Images with equal keys share their noise:
        give a clean image and its triggered version the same key, and different images different ones.
    first
        Number of the first draw: votes of draws [0, a) and [a, b) add up to those of [0, b).
    where
        Bool [H, W]: the pixels that get noise, by default all. The noise elsewhere is drawn and dropped, so what the
        others get does not change.

    Raises
    ------
    InputError
        Sigma, draws or a key is out of range.
    """

    sigma: float
    draws: int | tuple[int, ...] = 250
    seed: int = 0
    keys: Sequence[int] | Integer[np.ndarray, " N"] | None = None
    first: int = 0
    where: Bool[np.ndarray, "H W"] | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise InputError(f"Sigma is {self.sigma}; it must be finite and above 0, in units of pixels in [0, 1].")
        fewest = self.draws if isinstance(self.draws, int) else min(self.draws)
        if fewest < 1:
            raise InputError(f"{fewest} draws give no votes; ask for at least 1.")
        if self.keys is None:
            return
        keys = tuple(int(key) for key in self.keys)
        if not all(0 <= key < KEYS for key in keys):
            raise InputError("A key is outside [0, 4294967296); name images by their place in the data set.")
        object.__setattr__(self, "keys", keys)

    def keys_of(self, images: int) -> tuple[int, ...]:
        """Return one key for each of so many images; InputError if there are more or fewer."""
        keys = range(images) if self.keys is None else self.keys
        if len(keys) != images:
            raise InputError(f"There are {len(keys)} keys for {images} images; give one key for each image.")
        return tuple(keys)

    def draws_of(self, images: int) -> tuple[int, ...]:
        """Return one number of draws for each of so many images; InputError if there are more or fewer."""
        draws = (self.draws,) * images if isinstance(self.draws, int) else self.draws
        if len(draws) != images:
            raise InputError(f"There are {len(draws)} numbers of draws for {images} images; give one for each image.")
        return draws

    def part(self, first: int, until: int) -> Noise:
        """Return the same noise, of which only draws [first, until) are taken."""
        return replace(self, first=first, draws=until - first)
