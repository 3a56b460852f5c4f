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

THIS_RUN, OTHER_RUN = "this run", "other run"


@dataclass(frozen=True, eq=False)
class Scene:
    """One run beside another under one attack.

    Attributes
    ----------
    run, other
        The run, and the one beside it or None.
    attack
        The run's own, or what people try on a run that has none.
    sigma
        The noise.
    draws
        Of noise, for W of each image.
    """

    run: DoneRun
    other: DoneRun | None
    attack: Attack
    sigma: float
    draws: int = PAGE.draws

    @property
    def trigger(self) -> AnyTrigger:
        """What the attack puts on images."""
        return self.attack.trigger

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
    def runs(self) -> dict[str, DoneRun]:
        """The runs by what the page calls them."""
        return {THIS_RUN: self.run} | ({OTHER_RUN: self.other} if self.other is not None else {})

    @property
    def other_in_words(self) -> str:
        """What sentences call the other run: the control, if it is this run's."""
        control = self.run.control()
        own = control is not None and self.other is not None and control.name == self.other.name
        return "the control" if own else "the other run"

    @property
    def key(self) -> str:
        """What names the triggered version of an image, for caches."""
        return self.trigger.to_link() + (" anywhere" if self.attack.random_place else "")

    @property
    def about(self) -> dict[str, object]:
        """Where the numbers of a chart or table of this scene come from, for what is saved."""
        spec = self.spec()
        other = {} if self.other is None else {"next to run": self.other.name}
        return (
            {"run": self.run.name}
            | other
            | {"sigma": self.sigma, "draws": spec.draws, "noise seed": spec.seed, "training seed": self.run.spec.seed}
        )

    def what(self, result: str) -> str:
        """Return what names a result about this scene's runs and attack, for `progressive`."""
        return " ".join([result, *(str(run.path) for run in self.runs.values()), self.spec(1.0).hash])

    def spec(self, sigma: float | None = None, noise: str = "everywhere") -> Any:
        """Return what is measured at this, or at another, sigma."""
        return page_attack_spec(self.attack, sigma or self.sigma, noise, self.draws)

    def data(self) -> Dataset:
        """Return the test images, with progress shown where they have to be made."""
        return load_with_progress(self.run.spec.dataset, cached.data_to_look_at)

    def versions(self, data: Dataset, image: int) -> dict[str, tuple[str, Tensor]]:
        """Return one test image, uint8 [1, C, H, W], without and with the trigger, each with its key for caches."""
        clean = data.test.images[[image]]
        triggered = self.attack.apply(clean, np.array([image]), seed=self.spec().seed)
        return {"clean": ("", clean), "with trigger": (self.key, triggered)}


def stored_measurements(scene: Scene, sigma: float, noise: str = "everywhere") -> dict[str, Measurement] | None:
    """Return W of all runs at one sigma where all of it was measured before; else None."""
    spec = scene.spec(sigma, noise)
    if not all(cached.is_measured(run, spec) for run in scene.runs.values()):
        return None
    return {name: cached.measurement(run.path, spec.hash, spec) for name, run in scene.runs.items()}


def measurement_steps(
    scene: Scene, sigma: float, data: Callable[[], Dataset], noise: str = "everywhere"
) -> Iterator[dict[str, Measurement]]:
    """Yield W of all runs at one sigma, from few draws to all; the data set is loaded only where it is needed."""
    if (stored := stored_measurements(scene, sigma, noise)) is not None:
        yield stored
        return
    spec = scene.spec(sigma, noise)
    steps = {name: cached.measurement_steps(run, spec, data()) for name, run in scene.runs.items()}
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
