"""What all sections of Explore look at, and how they draw and remember alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from core.attacks.attack import Attack
from core.datasets import Dataset
from core.instruments.budgets import PAGE
from core.runs.measured.w import Measurement, page_attack_spec
from core.runs.run import DoneRun
from dashboard import cached
from dashboard.markdown import plain
from dashboard.parts.head import load_with_progress
from dashboard.state import ExploreState, get_state, set_state, widget_key

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.triggers import AnyTrigger


@dataclass(frozen=True, eq=False)
class Side:
    """One run of the page: what it is called here, and the attack that it is measured with."""

    name: str
    run: DoneRun
    attack: Attack


@dataclass(frozen=True, eq=False)
class Scene:
    """One run next to another, each with its own attack where it has one.

    Attributes
    ----------
    sides
        The run that the page is about, then the one next to it, if any.
    sigma
        The noise.
    draws
        Of noise, for W of each image.
    """

    sides: tuple[Side, ...]
    sigma: float
    draws: int = PAGE.draws

    @property
    def first(self) -> Side:
        """The run that the page is about."""
        return self.sides[0]

    @property
    def name(self) -> str:
        """What the run that the page is about is called."""
        return self.first.name

    @property
    def run(self) -> DoneRun:
        """The run that the page is about."""
        return self.first.run

    @property
    def attack(self) -> Attack:
        """The attack of the run that the page is about: its own, or what people try on a run that has none."""
        return self.first.attack

    @property
    def trigger(self) -> AnyTrigger:
        """What that attack puts on images."""
        return self.attack.trigger

    @property
    def control(self) -> Side | None:
        """The first run's control, if it is on the page."""
        control = self.run.control()
        return next((side for side in self.sides[1:] if control is not None and side.run.name == control.name), None)

    @property
    def alike(self) -> tuple[Side, ...]:
        """The runs that are measured with the first one's attack."""
        return tuple(side for side in self.sides if side.attack == self.attack)

    def goal(self, labels: np.ndarray) -> np.ndarray:
        """Return the class that the attacker wants each image to be taken for, given their true classes."""
        return self.attack.goal(labels, len(self.classes))

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes."""
        return self.run.result.classes

    @property
    def names(self) -> list[str]:
        """Names of the classes as Markdown shows them."""
        return [plain(name) for name in self.classes]

    @property
    def about(self) -> dict[str, object]:
        """Where the numbers of a chart or table of this scene come from, for what is saved."""
        spec = self.spec()
        others = {f"next to run ({side.name})": side.run.name for side in self.sides[1:]}
        numbers = {"sigma": self.sigma, "draws": spec.draws, "noise seed": spec.seed}
        return {"run": self.run.name, **others, **numbers, "training seed": self.run.spec.seed}

    def what(self, result: str) -> str:
        """Return what names a result about this scene's runs and attacks, for `progressive`."""
        parts = (f"{side.run.path} {self.spec(side, 1.0).hash}" for side in self.sides)
        return " ".join([result, *parts])

    def spec(self, side: Side | None = None, sigma: float | None = None, noise: str = "everywhere") -> Any:
        """Return what is measured of a run, by default of the first, at this or at another sigma."""
        return page_attack_spec((side or self.first).attack, sigma or self.sigma, noise, self.draws)

    def data(self) -> Dataset:
        """Return the test images, with progress shown where they have to be made."""
        return load_with_progress(self.run.spec.dataset, cached.data_to_look_at)


def versions(side: Side, data: Dataset, image: int, seed: int) -> dict[str, tuple[str, Tensor]]:
    """Return one test image, uint8 [1, C, H, W], without and with a run's trigger, each with its key for caches."""
    clean = data.test.images[[image]]
    triggered = side.attack.apply(clean, np.array([image]), seed=seed)
    key = side.attack.trigger.to_link() + (" anywhere" if side.attack.random_place else "")
    return {"clean": ("", clean), "with trigger": (key, triggered)}


def stored_measurements(scene: Scene, sigma: float, noise: str = "everywhere") -> dict[str, Measurement] | None:
    """Return W of all runs at one sigma where all of it was measured before; else None."""
    specs = {side: scene.spec(side, sigma, noise) for side in scene.sides}
    if not all(cached.is_measured(side.run, spec) for side, spec in specs.items()):
        return None
    return {side.name: cached.measurement(side.run.path, spec.hash, spec) for side, spec in specs.items()}


def measurement_steps(
    scene: Scene, sigma: float, data: Callable[[], Dataset], noise: str = "everywhere"
) -> Iterator[dict[str, Measurement]]:
    """Yield W of all runs at one sigma, from few draws to all; the data set is loaded only where it is needed."""
    if (stored := stored_measurements(scene, sigma, noise)) is not None:
        yield stored
        return
    steps = {
        side.name: cached.measurement_steps(side.run, scene.spec(side, sigma, noise), data()) for side in scene.sides
    }
    latest: dict[str, Measurement] = {}
    while more := {name: measured for name, run in steps.items() if (measured := next(run, None)) is not None}:
        latest |= more
        yield dict(latest)


def is_complete(scene: Scene, found: Mapping[str, Measurement]) -> bool:
    """Say whether all runs have got all their draws: one may have been measured before, and the other not."""
    return all(measured.spec.draws == scene.draws for measured in found.values())


def selected_images(mine: Measurement) -> tuple[int, int]:
    """Return the selected image and the pinned one, -1 if there is none, of those that were measured.

    Where none is selected it is the first, not the most striking one: its W would be the most extreme of all.
    """
    state = get_state(ExploreState)
    image = state.image if state.image in mine.chosen else int(mine.chosen[0])
    return image, state.pin if state.pin in mine.chosen and state.pin != image else -1


def remember(name: str) -> None:
    """Keep what a widget shows in the page's state: the callback of every widget that has no other."""
    value = st.session_state.get(widget_key(ExploreState, name))
    if value is None:  # it went away with what it belongs to
        return
    set_state(replace(get_state(ExploreState), **{name: value}))
