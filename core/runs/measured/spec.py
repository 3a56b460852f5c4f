"""What names a measurement of W on a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from core.attacks.attack import Attack, gather_attack
from core.identity import Spec, validated
from core.instruments.budgets import REPORT


class MeasureSpec(Spec):
    """Everything that decides one measurement of W on one run: with the run's hash it names a cached result.

    Attributes
    ----------
    attack
        Which trigger is put on the images, and what the attacker wants: this decides which images are measured, see
        `core.attacks.attack.Attack.attacks`. Its parts may be given instead, as in the example.
    images
        How many test images: the first so many by seeded order.
    sigma
        Standard deviation of the Gaussian noise, in pixels of [0, 1], added before the model's normalisation.
    draws
        Noise draws an image.
    seed
        Decides the noise, the images' order and random places.
    noise
        "everywhere", or "off-trigger": kept off the pixels that the trigger covers, on both versions of an image.
    recipe
        Version of the measuring code.

    Examples
    --------
    >>> from core.attacks.triggers import make_preset
    >>> spec = MeasureSpec(trigger=make_preset("white-corner", (1, 8, 8)), target=0, sigma=0.5)
    >>> spec.attack.mode, spec.images, spec.draws
    ('all-to-one', 150, 250)
    """

    attack: Attack
    images: int = Field(default=REPORT.images, ge=2, le=100_000)
    sigma: float = Field(gt=0, le=100, allow_inf_nan=False)
    draws: int = Field(default=REPORT.draws, ge=2, le=1_000_000)
    seed: int = Field(default=0, ge=0, lt=2**32)
    noise: Literal["everywhere", "off-trigger"] = "everywhere"
    recipe: Literal[1] = 1

    if TYPE_CHECKING:  # an attack's parts are taken as well, which the fields do not show

        def __init__(self, **values: Any) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _attack_is_gathered(cls, values: Any) -> Any:
        return gather_attack(values)


def make_measure_spec(**values: Any) -> MeasureSpec:
    """Return `MeasureSpec(**values)`, or raise InputError with one readable sentence."""
    return validated(MeasureSpec, values)
