"""The trigger as it is, on whatever model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from core.attacks.patterns.pattern import Pattern, PatternTask

if TYPE_CHECKING:
    from core.attacks.patterns.step import Step


class TriggerItself(Pattern, frozen=True):
    """The trigger, which no search changes."""

    title: ClassVar = "The trigger itself"
    sentence: ClassVar = "The trigger as it is, on whatever model."
    needs: ClassVar = ("trigger",)

    def search(self, task: PatternTask) -> Iterator[Step]:
        """Yield the trigger."""
        from core.attacks.patterns.step import Step

        assert task.trigger is not None  # `needs` has seen to it
        yield Step(1.0, 0.0, task.trigger)
