"""What every search for a pattern yields: how far it is, how good the best one is, and the best one itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.attacks.triggers import BaseTrigger

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Step:
    """One stage of a search. Whoever wants no better one stops asking.

    Attributes
    ----------
    share
        How much of the search is done, in (0, 1].
    loss
        What the search lowers, at the best pattern so far; it never rises from one step to the next. Each search says
        what it is; 0 where there is nothing to lower.
    found
        The best so far: a trigger that can be put on any image, or the changed images themselves, float [N, C, H, W],
        where each image is changed in its own way.
    """

    share: float
    loss: float
    found: BaseTrigger | Tensor
