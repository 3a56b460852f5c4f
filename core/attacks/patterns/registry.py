"""The patterns: one line each, from which the page and the command line know them; and the one way to search any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from core.attacks.patterns.corruptions import Blurred, Brighter, LessContrast, Mosaic, SaltAndPepper, UniformNoise
from core.attacks.patterns.crafted_smooth import CraftedSmooth
from core.attacks.patterns.patch import AdversarialPatch
from core.attacks.patterns.pattern import Pattern, PatternTask
from core.attacks.patterns.pgd import PgdExamples
from core.attacks.patterns.random_pattern import RandomPattern
from core.attacks.patterns.trigger_itself import TriggerItself
from core.attacks.patterns.universal import Universal
from core.attacks.triggers import BaseTrigger
from core.errors import InputError
from core.identity import validated

if TYPE_CHECKING:
    import numpy as np

    from core.attacks.patterns.descent import Model
    from core.attacks.patterns.step import Step
    from core.datasets import Dataset

PATTERNS: dict[str, type[Pattern]] = {
    "crafted-smooth": CraftedSmooth,
    "trigger": TriggerItself,
    "random": RandomPattern,
    "universal": Universal,
    "patch": AdversarialPatch,
    "pgd": PgdExamples,
    "brightness": Brighter,
    "contrast": LessContrast,
    "uniform-noise": UniformNoise,
    "salt-and-pepper": SaltAndPepper,
    "blur": Blurred,
    "mosaic": Mosaic,
}


def find_pattern(kind: str) -> type[Pattern]:
    """Return the class of a kind of pattern; InputError if there is none of that name."""
    if kind not in PATTERNS:
        raise InputError(f"There is no pattern called {kind!r}; choose one of: {', '.join(PATTERNS)}.")
    return PATTERNS[kind]


@dataclass(frozen=True)
class PatternSpec:
    """Everything that decides a pattern, given the model and its data set.

    Attributes
    ----------
    kind
        A name in `PATTERNS`.
    settings
        Field -> value, where it is not the default.
    sigma, trigger
        The noise and the trigger; no part of kinds that need none.
    seed
        Decides everything random.

    Raises
    ------
    InputError
        The kind is unknown, does not take a setting, or something is missing that it needs.
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    sigma: float | None = None
    trigger: BaseTrigger | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        kind = find_pattern(self.kind)
        required = [name for name, setting in kind.model_fields.items() if setting.is_required()]
        missing = [name for name in required if name not in self.settings]
        missing += [name for name in kind.needs if getattr(self, name) is None]
        if missing:
            raise InputError(f"A pattern of the kind {self.kind} needs a {missing[0]}: name one.")
        if unknown := [name for name in self.settings if name not in kind.model_fields]:
            raise InputError(
                f"A pattern of the kind {self.kind} has no {unknown[0]}: leave it out, or choose another kind."
            )
        _ = self.pattern  # a wrong value is an error now, not at its first use

    @cached_property
    def pattern(self) -> Pattern:
        """The pattern with its settings."""
        return validated(find_pattern(self.kind), dict(self.settings))

    @property
    def target(self) -> int | None:
        """The class that it aims at; None where there is none."""
        return getattr(self.pattern, "target", None)

    @property
    def identity(self) -> dict[str, Any]:
        """The JSON content that names the pattern."""
        needs = self.pattern.needs
        return {
            "kind": self.kind,
            "settings": self.pattern.model_dump(mode="json"),
            "sigma": self.sigma if "sigma" in needs else None,
            "trigger": self.trigger.identity if self.trigger and "trigger" in needs else None,
            "seed": self.seed,
            "recipe": 1,
        }


def search_pattern(spec: PatternSpec, model: Model, dataset: Dataset, chosen: np.ndarray) -> Iterator[Step]:
    """Search a pattern; the last `Step` holds the result.

    Parameters
    ----------
    spec
        What is looked for.
    model, dataset, chosen
        See `PatternTask`.

    Raises
    ------
    InputError
        The trigger or the target does not suit the data set; or a model without gradients is to be optimised on.
    """
    if spec.trigger is not None:
        spec.trigger.check_fits(dataset.shape)
    yield from spec.pattern.search(PatternTask(model, dataset, chosen, spec.sigma, spec.trigger, spec.seed))
