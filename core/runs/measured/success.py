"""How often any attack succeeds on a run, for instance one that people try on somebody else's model; kept with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.attacks.attack import Attack
from core.instruments.evaluation import Success, attack_success, attack_success_steps
from core.instruments.statistics import Estimate
from core.runs.measured.cache import Kept, kept_json
from core.runs.run import Run

if TYPE_CHECKING:
    from core.datasets import Dataset
    from core.instruments.predictor import Predictor

Took = Literal["works", "part", "failed", "alone"]

WORKS, TAKES = 0.8, 0.5
"""An attack works from this success rate on, and did not take below that one. Published attacks report 0.9 and more;
0.8 is where a person who tries the trigger a few times would call it reliable, and below 0.5 most images keep a class
that the attacker did not want."""


def took(success: Estimate, in_control: Estimate | None = None) -> Took:
    """Return what an attack success rate says of an attack: one rule for every page.

    Parameters
    ----------
    success
        The attack success rate (ASR) with its interval.
    in_control
        The same trigger's in the control, where it is known.

    Returns
    -------
    Took
        "works", "part" of the time or "failed", see `WORKS`; "alone" where the interval reaches that of the control:
        the trigger does it without poison, too.
    """
    if success.value < TAKES:
        return "failed"
    if in_control is not None and success.low <= in_control.high:
        return "alone"
    return "works" if success.value >= WORKS else "part"


def share_in_words(share: Estimate) -> str:
    """Return a share with its denominator, "98.6%, 354 of 359"."""
    return f"{share.value:.1%}, {share.count} of {share.n}"


def success_on(run: Run, attack: Attack, data_root: Path | str | None = None) -> Success:
    """Return how often any attack succeeds on a done run, for instance on a control; kept with it.

    Random places follow the run's seed, as they did while it was trained.

    Raises
    ------
    InputError
        The run is not done, or the attack does not suit its data set.
    """
    if (known := known_success(run, attack)) is not None:
        return known

    def compute() -> Success:
        from core.datasets import load_test

        dataset = load_test(run.spec.dataset, data_root)
        attack.check(dataset)
        classes = len(dataset.classes)
        return attack_success(run.finished().predictor(), dataset.test, attack, classes, run.spec.seed or 0)

    return _kept(attack).get(run, compute)


def success_steps(
    run: Run, attack: Attack, predictor: Callable[[], Predictor], dataset: Callable[[], Dataset]
) -> Iterator[Success]:
    """Yield how often an attack succeeds on ever more test images, in the end on all; the last alone if it was kept.

    Parameters
    ----------
    run, attack
        As in `success_on`, which returns what comes last.
    predictor, dataset
        Called once something has to be computed.
    """
    if (known := known_success(run, attack)) is not None:
        yield known
        return

    def steps() -> Iterator[Success]:
        data = dataset()
        attack.check(data)
        yield from attack_success_steps(predictor(), data.test, attack, len(data.classes), run.spec.seed or 0)

    yield from _kept(attack).steps(run, steps)


def known_success(run: Run, attack: Attack) -> Success | None:
    """Return how often an attack succeeds on a done run, where that was measured before."""
    result = run.finished().result
    if result.attack_success_rate and run.spec.attack == attack:
        return Success(result.attack_success_rate, result.attack_success_rate_others)
    return _kept(attack).look_up(run)


def _kept(attack: Attack) -> Kept[Success]:
    return kept_json(f"success-{attack.hash}", Success)
