"""From a searched tensor to a trigger that keeps its bound exactly, whole steps and all."""

from __future__ import annotations

import math

from torch import Tensor

from core.attacks.triggers import Additive
from core.attacks.triggers.additive import STEPS


def bounded_additive(pattern: Tensor, bound: float, name: str) -> Additive:
    """Return a pattern, float [C, H, W], as a trigger whose largest absolute value is at most `bound`.

    A trigger holds whole steps of 1/32640: a value at the bound must not be rounded beyond it.
    """
    # A product such as 0.3 * 32640 may come out just below the whole number that it is.
    most = math.floor(bound * STEPS + 1e-6) / STEPS
    return Additive.from_pattern(pattern.double().clamp(-most, most).cpu().numpy(), name)
