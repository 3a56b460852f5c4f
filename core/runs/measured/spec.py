"""What names a measurement of W on a run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core.attacks.attack import Attack, ModeName, check_goal
from core.attacks.triggers import AnyTrigger
from core.identity import content_hash, validated
from core.training.spec import _check_random_place, _without_later, _without_target


class MeasureSpec(BaseModel):
    """Everything that decides one measurement of W on one run: with the run's hash it names a cached result.

    Attributes
    ----------
    trigger, target
        The trigger that is put on the images, and the class whose own images are left out; None for all-to-all.
    mode, sources
        What the attacker wants: it decides which images are measured, see `core.attacks.attack.Attack.attacks`.
    random_place
        Whether the trigger lies somewhere else on every image.
    images
        How many test images: the first so many by seeded order.
    sigma
        Standard deviation of the Gaussian noise, in pixels of [0, 1], added before the model's normalisation.
    draws
        Noise draws an image.
    seed
        Decides the noise, the images' order and random places.
    estimator
        "corrected" for bias, or "plug-in".
    clamp
        Whether noisy pixels are clamped to [0, 1].
    noise
        "everywhere", or "off-trigger": kept off the pixels that the trigger covers, on both versions of an image.
    recipe
        Version of the measuring code.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trigger: AnyTrigger
    target: int | None = Field(default=None, ge=0)
    mode: ModeName = "all-to-one"
    sources: tuple[int, ...] = ()
    random_place: bool = False
    images: int = Field(default=150, ge=2, le=100_000)
    sigma: float = Field(gt=0, le=100, allow_inf_nan=False)
    draws: int = Field(default=250, ge=2, le=1_000_000)
    seed: int = Field(default=0, ge=0, lt=2**32)
    estimator: Literal["corrected", "plug-in"] = "corrected"
    clamp: bool = False
    noise: Literal["everywhere", "off-trigger"] = "everywhere"
    recipe: Literal[1] = 1

    @model_validator(mode="before")
    @classmethod
    def _all_to_all_has_no_target(cls, values: Any) -> Any:
        return _without_target(values)

    @field_validator("sources")
    @classmethod
    def _sources_are_ordered(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(value)))

    @model_validator(mode="after")
    def _attack_is_whole(self) -> MeasureSpec:
        check_goal(self.mode, self.target, self.sources)
        _check_random_place(self.random_place, self.trigger)
        return self

    @property
    def attack(self) -> Attack:
        """What the attacker wants of the measured images."""
        return Attack(self.trigger, self.target, self.mode, self.sources, self.random_place, self.seed)

    @property
    def hash(self) -> str:
        """The measurement's name: 12 hexadecimal digits."""
        return content_hash(_without_later(self, {"trigger"}) | {"trigger": self.trigger.identity})


def make_measure_spec(**values: Any) -> MeasureSpec:
    """Return `MeasureSpec(**values)`, or raise InputError with one readable sentence."""
    return validated(MeasureSpec, values)


def measure_spec_under(attack: Attack, **values: Any) -> MeasureSpec:
    """Return the spec of a measurement under an attack; `values` are what the attack does not say."""
    return make_measure_spec(
        trigger=attack.trigger,
        target=attack.target,
        mode=attack.mode,
        sources=attack.sources,
        random_place=attack.random_place,
        **values,
    )
