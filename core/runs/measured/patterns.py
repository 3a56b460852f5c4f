"""A pattern searched on one run and what it does to W there, with its result in the run's directory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import TypeAdapter

from core.attacks.patterns import PATTERNS, PatternSpec, search_pattern
from core.attacks.triggers import AnyTrigger, BaseTrigger
from core.errors import InputError
from core.identity import content_hash
from core.instruments.budgets import PATTERN
from core.instruments.pattern_effect import Effect, PatternBench
from core.runs.measured.cache import Kept, kept_arrays
from core.runs.run import DoneRun, Run

if TYPE_CHECKING:
    from torch import Tensor

# Raised whenever a pattern's search or measurement changes its result.
_RECIPE = 1
_EXAMPLES = 6


@dataclass(frozen=True)
class EffectSpec:
    """Everything that decides a pattern and what is measured of it, given the run.

    Attributes
    ----------
    pattern
        What is looked for.
    sigma, draws, images, seed
        The noise and the test images that W is measured with: the first so many by seeded order.
    """

    pattern: PatternSpec
    sigma: float
    draws: int = PATTERN.draws
    images: int = PATTERN.images
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise InputError(f"Sigma is {self.sigma}; it must be above 0, in units of pixels in [0, 1].")
        if self.draws < 2 or self.images < 2:
            raise InputError(f"{self.draws} draws and {self.images} images are too few; ask for at least 2 of each.")

    @property
    def hash(self) -> str:
        """Its name: 12 hexadecimal digits."""
        return content_hash([_RECIPE, self.pattern.identity, self.sigma, self.draws, self.images, self.seed])


@dataclass(frozen=True, eq=False)
class PatternFinding:
    """The best pattern so far, and in the end what it does.

    Attributes
    ----------
    share
        How much is done, in (0, 1].
    loss
        What the search lowers, see each search; 0 where there is nothing to search.
    trigger
        The pattern as a trigger; None for kinds that change every image in its own way.
    examples
        uint8 [M, 2, C, H, W]: some test images as they are and with the pattern.
    effects
        W with the pattern, and with a random one of equal norm; empty until the search is over.
    """

    share: float
    loss: float
    trigger: AnyTrigger | None
    examples: np.ndarray
    effects: tuple[Effect, ...] = ()


def measure_pattern(run: Run, spec: EffectSpec, data_root: Path | str | None = None) -> Iterator[PatternFinding]:
    """Search a pattern on a done run's model, then measure it on test images; yield ever better ones.

    Patterns learn from training images only. Test images of the class that the pattern or the run's attack aims at are
    left out. What was found before comes from the run's directory.

    Raises
    ------
    InputError
        The run is not done, or the pattern does not suit its images or its model.
    """
    return kept_pattern(spec).steps(run, lambda: _search_and_measure(run.finished(), spec, data_root))


def _search_and_measure(run: DoneRun, spec: EffectSpec, data_root: Path | str | None) -> Iterator[PatternFinding]:
    from core.datasets.dataset import to_unit
    from core.instruments.evaluation import choose_images

    dataset, predictor = run.dataset(data_root), run.predictor()
    own = None if run.spec.attack is None else run.spec.attack.target
    aims = [target for target in (spec.pattern.target, own) if target is not None]
    order = choose_images(dataset.test, -1, len(dataset.test), spec.seed)
    chosen = order[~np.isin(dataset.test.labels.numpy()[order], aims)][: spec.images]
    if len(chosen) < 2:
        raise InputError(f"The test split of {dataset.name} has too few images to measure a pattern on.")
    images = to_unit(dataset.test.images[chosen])
    step, changed = None, images
    for step in search_pattern(spec.pattern, run.model(), dataset, chosen):
        changed = _changed(step.found, images)
        yield PatternFinding(0.9 * step.share, step.loss, _as_trigger(step.found), _examples(images, changed))
    assert step is not None, "every search has at least one step"
    bench = PatternBench(predictor, images, chosen, spec.sigma, spec.draws, spec.seed)
    title = PATTERNS[spec.pattern.kind].title
    effects = (
        bench.effect(title, changed),
        bench.effect("Random, equal norm", _random(step.found, images, changed, spec)),
    )
    yield PatternFinding(1.0, step.loss, _as_trigger(step.found), _examples(images, changed), effects)


def _changed(found: AnyTrigger | Tensor, images: Tensor) -> Tensor:
    return found.apply(images) if isinstance(found, BaseTrigger) else found


def _as_trigger(found: AnyTrigger | Tensor) -> AnyTrigger | None:
    return found if isinstance(found, BaseTrigger) else None


def _random(found: AnyTrigger | Tensor, images: Tensor, changed: Tensor, spec: EffectSpec) -> Tensor:
    from core.attacks.patterns.random_pattern import random_images_like, random_like

    # Another seed than the pattern's own: beside a random pattern stands another one.
    seed, trigger = spec.pattern.seed + 1, _as_trigger(found)
    return (
        random_images_like(changed, images, seed)
        if trigger is None
        else random_like(trigger, images, seed).apply(images)
    )


def _examples(images: Tensor, changed: Tensor) -> np.ndarray:
    both = [(255 * part[:_EXAMPLES]).round().clamp(0, 255).byte().numpy() for part in (images, changed)]
    return np.stack(both, axis=1)


@dataclass(frozen=True)
class _Numbers:
    """What is stored of a finding as text."""

    loss: float
    trigger: AnyTrigger | None
    effects: tuple[Effect, ...]


_NUMBERS = TypeAdapter(_Numbers)


def kept_pattern(spec: EffectSpec) -> Kept[PatternFinding]:
    """Return the place of a pattern and its effects in any run's directory."""
    return kept_arrays(f"pattern-{spec.hash}", _to_arrays, _of_arrays)


def _to_arrays(finding: PatternFinding) -> Mapping[str, np.ndarray]:
    numbers = _Numbers(finding.loss, finding.trigger, finding.effects)
    return {"examples": finding.examples, "numbers": np.array(_NUMBERS.dump_json(numbers).decode())}


def _of_arrays(arrays: Mapping[str, np.ndarray]) -> PatternFinding:
    numbers = _NUMBERS.validate_json(str(arrays["numbers"]))
    return PatternFinding(1.0, numbers.loss, numbers.trigger, arrays["examples"], numbers.effects)
