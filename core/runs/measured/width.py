"""W of a run without and with a trigger, each image from as many draws as an interval of an asked width needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError
from core.instruments.budgets import REPORT

if TYPE_CHECKING:
    from core.attacks.attack import Attack
    from core.instruments.smoothness import Pair
    from core.runs.run import DoneRun


def measure_run_to_width(
    run: DoneRun,
    attack: Attack,
    sigma: float,
    width: float,
    images: int = REPORT.images,
    seed: int = 0,
    data_root: Path | str | None = None,
) -> Pair:
    """Measure the same test images as `core.runs.measured.w.measure_run` does, with fresh draws after a pilot.

    Nothing is kept: what was drawn depends on what the pilot saw, so it is no measurement that a spec names.

    Parameters
    ----------
    run, attack, sigma, images, seed
        As in `core.runs.measured.spec.MeasureSpec`.
    width
        Of each image's 95% interval for more draws, high minus low, in (0, 1).
    data_root
        Where data sets lie.

    Raises
    ------
    InputError
        The attack does not suit the run's data set, or sigma or width is out of range.
    """
    from core.datasets import load_test
    from core.datasets.dataset import to_unit
    from core.instruments.adaptive import measure_to_width
    from core.instruments.evaluation import choose_attacked
    from core.instruments.smoothness import Pair

    dataset = load_test(run.spec.dataset, data_root)
    attack.check(dataset)
    chosen = choose_attacked(dataset.test, attack, images, seed)
    if not len(chosen):
        raise InputError("No test image belongs to a class that is attacked, so there is none to measure W on.")
    clean, predictor = to_unit(dataset.test.images[chosen]), run.predictor()
    versions = clean, attack.apply(clean, chosen, seed=seed)
    keys = chosen.tolist()
    return Pair(*(measure_to_width(predictor, pictures, sigma, width, seed, keys) for pictures in versions))
