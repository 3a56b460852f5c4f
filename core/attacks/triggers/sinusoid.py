"""Stripes that are added to the whole image (SIG)."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from core.attacks.triggers.base import MAX_SIDE, Shape
from core.attacks.triggers.formula import Added, Formula


class Sinusoid(Formula, Added, frozen=True):
    """Stripes that are added to the whole image: ``delta * sin(2 pi j frequency / W)`` on column j = 1..W (SIG).

    Attributes
    ----------
    delta
        Amplitude, in pixels of [0, 1]; published attacks use 10/255 to 60/255.
    frequency
        Periods across the image's width.

    References
    ----------
    M. Barni, K. Kallas, B. Tondi, "A new backdoor attack in CNNs by training set corruption without label poisoning",
    ICIP 2019.
    """

    title: ClassVar = "Sinusoid (SIG)"
    sentence: ClassVar = "Adds stripes to the whole image (SIG; Barni, Kallas and Tondi, 2019)."

    kind: Literal["sinusoid"] = "sinusoid"
    delta: float = Field(
        default=20 / 255, gt=0, le=1, allow_inf_nan=False, title="Amplitude",
        json_schema_extra={"per": 255, "format": "%g / 255", "usual": [1 / 255, 128 / 255]},
    )  # fmt: skip
    frequency: float = Field(
        default=6.0, gt=0, le=MAX_SIDE, allow_inf_nan=False, title="Stripes",
        json_schema_extra={"step": 0.5, "usual": [0.5, 16.0]},
    )  # fmt: skip
    name: str = "sinusoid"

    @classmethod
    def suited_to(cls, shape: Shape) -> Self:
        """Return six stripes as published, or fewer where the image is too narrow to show six: a quarter of it."""
        return cls(frequency=min(6, max(1, shape[2] // 4)))

    def suits(self, shape: Shape) -> str | None:
        """Return None unless the stripes vanish on images of this (C, H, W); then a sentence that says so."""
        if np.abs(self._wave(shape[2])).max() >= 0.5 / 255:
            return None
        return (
            f"A sinusoid of {self.frequency:g} periods and amplitude {self.delta:.3g} is zero at every one of "
            f"{shape[2]} columns: choose another frequency, below {shape[2] / 2:g}, or a larger amplitude."
        )

    def stronger(self) -> Self | None:
        """Return stripes of twice the amplitude, of half the range of pixels at most."""
        return self.model_copy(update={"delta": min(2 * self.delta, 0.5)}) if self.delta < 0.5 else None

    def pattern(self, shape: Shape) -> np.ndarray:
        """Return what is added to images of this (C, H, W): float32 [C, H, W] in [-1, 1]."""
        self.check_fits(shape)
        return np.broadcast_to(self._wave(shape[2]), shape).astype(np.float32)

    def _wave(self, width: int) -> np.ndarray:
        return self.delta * np.sin(2 * np.pi * self.frequency * np.arange(1, width + 1) / width)
