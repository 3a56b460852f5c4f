"""What to change where an attack did not take, or did too much: one setting at a time, ready to be trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.attacks.attack import MODES, Mode
from core.attacks.poisoning import RateLimits, rate_limits
from core.attacks.triggers import make_preset, preset_names

if TYPE_CHECKING:
    from core.datasets import Dataset
    from core.runs.measured.outcome import Verdict
    from core.training.spec import RunSpec

MOST, LONGEST = 3, 100


@dataclass(frozen=True)
class Remedy:
    """One change of a run's settings.

    Attributes
    ----------
    words
        What a button says that makes it.
    changes
        Fields of a `RunSpec` and their new values; "trigger" stands for that of its attack.
    """

    words: str
    changes: Mapping[str, Any]


def remedies(verdict: Verdict, spec: RunSpec, dataset: Dataset) -> list[Remedy]:
    """Return what to try next, the most promising first; nothing where an attack works as it should.

    Parameters
    ----------
    verdict
        What became of the attack.
    spec, dataset
        What was trained on what.
    """
    find = {"failed": _strengthen, "part": _strengthen, "costs": _soften, "spreads": _cover}.get(verdict)
    return [] if find is None or spec.attack is None else list(find(spec, dataset))[:MOST]


def _strengthen(spec: RunSpec, dataset: Dataset) -> Iterator[Remedy]:
    attack = spec.attack
    assert attack is not None
    stronger = attack.trigger.stronger()
    if stronger is not None:
        yield Remedy("Make the trigger twice as strong", {"trigger": stronger})
    usual = "checkerboard" if attack.random_place else MODES[attack.mode].trigger
    preset = make_preset(usual, dataset.shape)
    if usual != Mode.trigger and preset != attack.trigger:
        yield Remedy(f"Use the {preset_names()[usual].lower()}", {"trigger": preset})
    if attack.mode == "clean-label" and not spec.perturbed:
        yield Remedy("Perturb the images first", {"perturbed": True})
    most = _limits(spec, dataset).poisoned
    most = math.floor(200 * most) / 200 or most  # in steps of half a percent, as the page's slider has it
    if spec.rate < most:
        rate = min(2 * spec.rate, most)
        yield Remedy(f"Raise the rate to {100 * rate:.3g}%", {"rate": rate})
    epochs = min(3 * spec.epochs, LONGEST)
    if epochs > spec.epochs:
        yield Remedy(f"Train for {epochs} epochs", {"epochs": epochs})


def _soften(spec: RunSpec, dataset: Dataset) -> Iterator[Remedy]:
    if round(spec.rate / 2 * len(dataset.train)) >= 1:
        yield Remedy(f"Lower the rate to {50 * spec.rate:.3g}%", {"rate": spec.rate / 2})


def _cover(spec: RunSpec, dataset: Dataset) -> Iterator[Remedy]:
    most = _limits(spec, dataset).covers
    if spec.cover_rate < most:
        rate = min(max(2 * spec.cover_rate, 0.05), most)
        yield Remedy(f"Raise the cover samples to {100 * rate:.3g}%", {"cover_rate": rate})
    yield from _soften(spec, dataset)


def _limits(spec: RunSpec, dataset: Dataset) -> RateLimits:
    attack = spec.attack
    assert attack is not None
    return rate_limits(dataset.train.labels.numpy(), attack.mode, attack.target, attack.sources)
