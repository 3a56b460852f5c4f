"""Groups of a study's runs, over which nothing is pooled."""

from __future__ import annotations

from typing import NamedTuple

from core.studies.claims import Meaning, Verdict
from core.studies.columns import EpochRow, Row


class RunGroup(NamedTuple):
    """What is never pooled, except the trigger's kind and sigma, which the page shows together.

    `target` is -1 where the attack has no single target class.
    """

    dataset: str
    architecture: str
    mode: str
    target: int
    epochs: int
    noise: str

    @classmethod
    def of(cls, row: Row) -> RunGroup:
        """Return the group that a row belongs to."""
        target = -1 if row.target is None else row.target
        return cls(row.dataset, row.architecture, row.mode, target, row.epochs, row.noise or "")

    def contains(self, item: Verdict | Meaning | EpochRow) -> bool:
        """Say whether something is about the runs of this group."""
        if (item.dataset, item.architecture, item.epochs) != (self.dataset, self.architecture, self.epochs):
            return False
        if isinstance(item, Meaning):
            return True
        target = -1 if item.target is None else item.target
        if (item.mode, target) != (self.mode, self.target):
            return False
        return not isinstance(item, Verdict) or item.noise == self.noise

    @property
    def title(self) -> str:
        """What the group is called."""
        goal = "" if self.target < 0 else f" → class {self.target}"
        return f"{self.dataset}, {self.architecture}, {self.epochs} epochs, {self.mode}{goal}, noise {self.noise}"
