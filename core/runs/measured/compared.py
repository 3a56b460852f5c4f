"""Several attacks next to each other, each on its own model: what is known of each, and more of it step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.attacks.attack import Attack
from core.attacks.triggers.visibility import Visibility, visible_change
from core.errors import InputError
from core.instruments.budgets import PAGE
from core.instruments.detectors.comparison import ComparisonSpec
from core.instruments.statistics import Estimate, bounded_mean_interval
from core.runs.measured.cache import Kept, kept_json
from core.runs.measured.detectors import stored_comparison
from core.runs.measured.findings import Direction, direction
from core.runs.measured.w import Measurement, measure_steps, page_attack_spec, stored_measurement, sweep_sigmas
from core.runs.run import DoneRun

if TYPE_CHECKING:
    from core.datasets import Dataset
    from core.instruments.detectors.comparison import Comparison
    from core.instruments.predictor import Predictor

FEWEST, MOST = 2, 4


@dataclass(frozen=True, eq=False)
class Detected:
    """What the detectors made of one attack, with W's noise at sigma."""

    sigma: float
    comparison: Comparison

    @property
    def best(self) -> tuple[str, Estimate] | None:
        """Name and AUC, against clean images of other classes, of the detector with the largest; None without any.

        The largest of several was chosen, so it overstates that detector.
        """
        found = {name: scored.against_other.auc for name, scored in self.comparison.by_image.items()}
        return max(found.items(), key=lambda one: one[1].value, default=None)


@dataclass(frozen=True, eq=False)
class Compared:
    """One attack on the model that was trained with it, as far as it was measured.

    Attributes
    ----------
    name
        What it is called in this comparison.
    run, control
        Its run, and the same training without poison where that is at hand.
    attack
        The run's own.
    sigma
        The noise of W.
    visible
        How far the images that W is measured on are from those without the trigger; None until that is known.
    measured, in_control
        W under the run and under its control, of the same images with the same trigger and noise.
    detected
        What the detectors made of it; None where nobody has run them.
    """

    name: str
    run: DoneRun
    attack: Attack
    sigma: float
    control: DoneRun | None = None
    visible: Visibility | None = None
    measured: Measurement | None = None
    in_control: Measurement | None = None
    detected: Detected | None = None

    @property
    def beyond(self) -> Estimate | None:
        """Mean over the images of the run's gap minus the control's, with its 95% interval for more images.

        None until both are measured with all draws.
        """
        if not self.is_complete or self.measured is None or self.in_control is None:
            return None
        gaps = [one.clean.w - one.triggered.w for one in (self.measured, self.in_control)]
        return bounded_mean_interval(gaps[0] - gaps[1], -2, 2)

    @property
    def direction(self) -> Direction | None:
        """Whether W falls or rises with the trigger, and does so beyond the control; None until that is known.

        Both intervals have to stay on one side of 0: less rough than the control, but rough, is not smooth.
        """
        if self.measured is None or self.beyond is None:
            return None
        own = direction(self.measured.gap)
        return own if own == direction(self.beyond) else "undecided"

    @property
    def is_complete(self) -> bool:
        """Whether all that needs no detector is measured."""
        return self.visible is not None and self.share == 1

    @property
    def share(self) -> float:
        """The share of the noise draws that are done, from 0 to 1."""
        wanted = [self.measured] + ([self.in_control] if self.control is not None else [])
        return sum(one.spec.draws for one in wanted if one is not None) / (PAGE.draws * len(wanted))


def compared(name: str, run: DoneRun, level: int) -> Compared:
    """Return what is known of a run's attack without computing.

    Parameters
    ----------
    name
        What to call it.
    run
        A run with an attack of its own.
    level
        Place of sigma among `core.runs.measured.w.sweep_sigmas` of its images.

    Raises
    ------
    InputError
        The run has no trigger.
    """
    attack = run.spec.attack
    if attack is None:
        raise InputError(f"The run {run.name} has no trigger of its own, so there is no attack to compare.")
    sigmas = sweep_sigmas(run.result.shape)
    spec = page_attack_spec(attack, sigmas[level])
    beside = run.control()
    control = None if beside is None or beside.result is None else beside.finished()
    return Compared(
        name=name,
        run=run,
        attack=attack,
        sigma=sigmas[level],
        control=control,
        visible=_kept_visibility(attack).look_up(run),
        measured=stored_measurement(run, spec),
        in_control=None if control is None else stored_measurement(control, spec),
        detected=stored_detection(run, attack, [sigmas[level], *sigmas]),
    )


def stored_detection(run: DoneRun, attack: Attack, sigmas: Sequence[float]) -> Detected | None:
    """Return what detectors made of an attack at the first of these sigmas at which they were run; None if at none."""
    for sigma in sigmas:
        if (found := stored_comparison(run, ComparisonSpec(attack, sigma))) is not None:
            return Detected(sigma, found)
    return None


def comparison_steps(
    known: Sequence[Compared], predictor: Callable[[DoneRun], Predictor], dataset: Callable[[DoneRun], Dataset]
) -> Iterator[tuple[Compared, ...]]:
    """Yield ever more of what is to be known of several attacks, all of them a little at a time; all of it is kept.

    Parameters
    ----------
    known
        Where it begins, see `compared`.
    predictor, dataset
        Of a run or of its control; called once something has to be computed.
    """
    latest = list(known)
    steps = {number: _steps(one, predictor, dataset) for number, one in enumerate(known)}
    yield tuple(latest)
    while steps:
        for number, each in list(steps.items()):
            if (better := next(each, None)) is None:
                del steps[number]
                continue
            latest[number] = better
            yield tuple(latest)


def _steps(
    one: Compared, predictor: Callable[[DoneRun], Predictor], dataset: Callable[[DoneRun], Dataset]
) -> Iterator[Compared]:
    if one.visible is None:
        one = replace(one, visible=visibility(one.run, one.attack, lambda: dataset(one.run)))
        yield one
    spec = page_attack_spec(one.attack, one.sigma)
    for field, run in (("measured", one.run), ("in_control", one.control)):
        if run is None or getattr(one, field) is not None:
            continue
        for found in measure_steps(run, spec, lambda run=run: predictor(run), lambda run=run: dataset(run)):
            one = replace(one, **{field: found})
            yield one


def visibility(run: DoneRun, attack: Attack, dataset: Callable[[], Dataset]) -> Visibility:
    """Return how far test images with an attack's trigger are from those without; kept with the run.

    The images are those that the pages measure W on.
    """

    def compute() -> Visibility:
        from core.instruments.evaluation import choose_attacked

        test = dataset().test
        chosen = choose_attacked(test, attack, PAGE.images, seed=0)
        if not len(chosen):
            raise InputError("No test image belongs to a class that is attacked, so there is none to compare.")
        before = test.images[chosen]
        return visible_change(before.numpy(), attack.apply(before, chosen, seed=0).numpy())

    return _kept_visibility(attack).get(run, compute)


def _kept_visibility(attack: Attack) -> Kept[Visibility]:
    return kept_json(f"visible-{attack.hash}", Visibility)


def images_in_common(attacks: Sequence[Attack], dataset: Dataset) -> np.ndarray:
    """Return the test images that every one of the attacks is about, int64 [M], in seeded order; may be empty."""
    from core.instruments.evaluation import choose_attacked

    labels = dataset.test.labels.numpy()
    order = choose_attacked(dataset.test, attacks[0], len(labels), seed=0)
    return order[np.all([attack.attacks(labels[order]) for attack in attacks], axis=0)]
