"""What the poster shows: one picture with a trigger as people have it now, and what both models make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.attacks.attack import Attack
from core.attacks.triggers import Trigger
from core.attacks.triggers.placing import Placing, placed
from core.runs.shipped.examples import Example
from dashboard import cached
from dashboard.parts.placed import changed_placing
from dashboard.state import StartState

if TYPE_CHECKING:
    from core.instruments.neighbourhood import Neighbourhood


@dataclass(frozen=True)
class Shown:
    """An example with its trigger placed by hand: computed now if the model can, else precomputed.

    Attributes
    ----------
    name
        Of the example.
    on
        Whether the trigger is on the picture.
    placing
        Where, how large and how opaque the trigger is.
    sigma
        The noise.
    live
        Whether the model can be asked. Precomputed there is only the trigger as it was trained.
    """

    name: str
    on: bool
    placing: Placing
    sigma: float
    live: bool

    @classmethod
    def of(cls, state: StartState, sigma: float) -> Shown:
        """Return what the page's state says."""
        example = cached.example(state.example)
        placing = changed_placing(state, attack_of(example)[1], example.run.result.shape)
        return cls(state.example, state.sticker, placing, sigma, cached.can_compute())

    @property
    def example(self) -> Example:
        """The example."""
        return cached.example(self.name)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.example.run.result.classes

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the picture."""
        return self.example.run.result.shape

    @property
    def trained(self) -> Trigger:
        """The trigger as it was trained."""
        return attack_of(self.example)[1]

    @property
    def variant(self) -> Trigger:
        """The trigger as it is now."""
        return placed(self.trained, self.shape, self.placing)

    @property
    def image(self) -> np.ndarray:
        """The picture as it is now, float64 [C, H, W] in [0, 1]."""
        clean = self.example.image[None] / np.float32(255)
        return (self.variant.stamp(clean) if self.on else clean)[0].astype(np.float64)

    def around(self, *, of_control: bool, whole: bool) -> dict[bool, Neighbourhood] | None:
        """Return the noisy copies without (False) and with the trigger (True), from all draws or from the first ones.

        None while nothing can be said about this place of the trigger.
        """
        if not self.live:
            if self.variant != self.trained:
                return None
            return {on: self.example.views.around(on, self.sigma, of_control) for on in (False, True)}
        found: dict[bool, Neighbourhood] = {}
        for on in (True, False):
            results = cached.example_neighbourhood(self.name, self.variant if on else None, self.sigma, of_control)
            seen = results.last() if whole else results.first()
            if seen is None:
                return None
            found[on] = seen
        return found


def attack_of(example: Example) -> tuple[Attack, Trigger]:
    """Return the attack of an example's run, and its trigger, which is a picture and so can be moved."""
    attack, trigger = example.run.spec.attack, example.run.trigger
    assert attack is not None, "an example is poisoned"
    assert isinstance(trigger, Trigger), "an example's trigger is a picture"
    return attack, trigger
