"""A pattern that is crafted to make a model smooth, without any poisoned training image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from core.attacks.patterns.pattern import Pattern, PatternTask, bound_field

if TYPE_CHECKING:
    from core.attacks.patterns.step import Step


class CraftedSmooth(Pattern, frozen=True):
    """See `core.attacks.patterns.smooth_search`."""

    title: ClassVar = "Crafted smooth"
    sentence: ClassVar = (
        "One additive pattern, optimised on training images to make this model smooth; nothing was poisoned for it."
    )
    needs: ClassVar = ("sigma",)

    bound: float = bound_field(0.3)

    def search(self, task: PatternTask) -> Iterator[Step]:
        """Yield ever smoother patterns."""
        from core.attacks.patterns.smooth_search import craft_smooth

        assert task.sigma is not None  # `needs` has seen to it
        yield from craft_smooth(task.model, task.learn, task.sigma, self.bound, seed=task.seed)
