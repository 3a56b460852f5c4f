"""One measurement of W on one run: the same test images with and without a trigger, kept in the run's directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.attacks.attack import Attack
from core.errors import InputError
from core.instruments.budgets import PAGE, PAGE_STEPS
from core.instruments.noise import Noise
from core.instruments.smoothness import Arithmetic, Pair, Smoothness, measure, suggested_sigma
from core.runs.measured.cache import Kept, kept_arrays
from core.runs.measured.spec import MeasureSpec, make_measure_spec
from core.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor

    from core.datasets import Dataset
    from core.instruments.predictor import Predictor


_SWEEP = (0.2, 0.5, 1.0, 1.5, 2.0, 4.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured(Smoothness):
    """W of one set of images under one model, and the plain predictions next to it.

    Attributes
    ----------
    predicted
        int64 [N], the class predicted without noise.
    confidence, margin
        float64 [N], the largest softmax probability without noise, and its lead over the second: the plain baselines
        that W has to be better than.
    """

    predicted: np.ndarray
    confidence: np.ndarray
    margin: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Measurement(Pair):
    """W of test images without and with a trigger, paired by common noise, and of the target class's own images.

    Attributes
    ----------
    spec
        What was measured.
    chosen
        int64 [N], the measured images' places in the test split; each names its noise too.
    true
        int64 [N], their true classes: those that the attack is about, see `core.attacks.attack.Attack.attacks`.
    clean, triggered
        The images as they are and with the trigger on them.
    target_chosen, target_class
        Clean test images that the model predicts as the target, and their W: what "smooth because it is that class"
        looks like, without which a low W with the trigger misleads. May be empty, and is for all-to-all attacks.
    """

    spec: MeasureSpec
    chosen: np.ndarray
    true: np.ndarray
    clean: Measured
    triggered: Measured
    target_chosen: np.ndarray
    target_class: Measured

    def part(self, mask: np.ndarray) -> tuple[float, float] | None:
        """Return mean W clean and mean W triggered of some of the images, bool [N]; None if there are none."""
        return (float(self.clean.w[mask].mean()), float(self.triggered.w[mask].mean())) if mask.any() else None

    @cached_property
    def flipped(self) -> np.ndarray:
        """Bool [N]: images that the trigger makes the model predict as the attacker wants, without noise."""
        return self.triggered.predicted == self.spec.attack.goal(self.true, self.triggered.votes.shape[1])


def sweep_sigmas(shape: tuple[int, int, int]) -> list[float]:
    """Return the sigmas of a sweep, ascending: multiples of the one whose noise has an expected length of 4."""
    return [float(f"{factor * suggested_sigma(shape):.2g}") for factor in _SWEEP]


def page_attack_spec(attack: Attack, sigma: float, noise: str = "everywhere", draws: int = PAGE.draws) -> MeasureSpec:
    """Return what the pages measure of a run under any attack: on the images that the attack is about."""
    return make_measure_spec(attack=attack, images=PAGE.images, sigma=sigma, draws=draws, noise=noise)


def measure_run(run: Run, spec: MeasureSpec, data_root: Path | str | None = None) -> Measurement:
    """Return this measurement of a run, from its directory if it was made before.

    Raises
    ------
    InputError
        The run is not done, or the trigger or target does not suit its data set.

    Examples
    --------
    >>> from core import MeasureSpec, RunSpec, make_preset, train_run
    >>> trigger = make_preset("white-corner", (1, 8, 8))
    >>> run = train_run(RunSpec(dataset="digits", trigger=trigger, target=0, rate=0.1, epochs=1))
    >>> measured = measure_run(run, MeasureSpec(trigger=trigger, target=0, sigma=0.5, images=20, draws=20))
    >>> measured.clean.w.shape, measured.triggered.w.shape
    ((20,), (20,))
    """

    def compute() -> Measurement:
        dataset = _test_images_of(run, data_root)
        spec.attack.check(dataset)
        return measure_model(run.finished().predictor(), dataset, spec)

    return kept_measurement(spec).get(run, compute)


def measure_with(run: Run, spec: MeasureSpec, predictor: Predictor, dataset: Dataset) -> Measurement:
    """Return this measurement of a run whose predictor and data set are at hand; see `measure_run`."""
    return kept_measurement(spec).get(run, partial(measure_model, predictor, dataset, spec))


def measure_steps(
    run: Run, spec: MeasureSpec, predictor: Callable[[], Predictor], dataset: Callable[[], Dataset]
) -> Iterator[Measurement]:
    """Yield ever better measurements of a run, from few draws to all of them; the last one alone if it was kept.

    One with fewer draws that was kept is where they begin.

    Parameters
    ----------
    run, spec
        What is measured.
    predictor, dataset
        Called once something has to be computed.
    """

    def steps() -> Iterator[Measurement]:
        smaller = [spec.model_copy(update={"draws": few}) for few in PAGE_STEPS if few < spec.draws]
        kept = (stored_measurement(run, step) for step in reversed(smaller))
        measured = next((fewer for fewer in kept if fewer is not None), None)
        if measured is not None:
            yield measured
        for step in (*smaller, spec):
            if measured is None or step.draws > measured.spec.draws:
                measured = measure_model(predictor(), dataset(), step, measured)
                yield measured

    return kept_measurement(spec).steps(run, steps)


def stored_measurement(run: Run, spec: MeasureSpec) -> Measurement | None:
    """Return this measurement of a run if it was made before and can be read."""
    return kept_measurement(spec).look_up(run)


def _test_images_of(run: Run, data_root: Path | str | None) -> Dataset:
    from core.datasets import load_test

    return load_test(run.spec.dataset, data_root)


def measure_model(
    predictor: Predictor, dataset: Dataset, spec: MeasureSpec, before: Measurement | None = None
) -> Measurement:
    """Measure any model on a data set's test images; see `Measurement`.

    Votes of `before`, the same measurement with fewer draws, are not counted again but added to: draw j of an image is
    the same noise in both.
    """
    from core.datasets.dataset import to_unit
    from core.instruments.evaluation import choose_attacked

    test = dataset.test
    if before is not None:
        return _extended(before, predictor, dataset, spec)
    chosen = choose_attacked(test, spec.attack, spec.images, spec.seed)
    if not len(chosen):
        raise InputError("No test image belongs to a class that is attacked, so there is none to measure W on.")
    images = to_unit(test.images[chosen])
    of_target = _predicted_as_target(predictor, dataset, spec)
    return Measurement(
        spec=spec,
        chosen=chosen,
        true=test.labels.numpy()[chosen],
        clean=_measured(predictor, images, chosen, spec),
        triggered=_measured(predictor, spec.attack.apply(images, chosen, seed=spec.seed), chosen, spec),
        target_chosen=of_target,
        target_class=_measured(predictor, to_unit(test.images[of_target]), of_target, spec),
    )


def _extended(before: Measurement, predictor: Predictor, dataset: Dataset, spec: MeasureSpec) -> Measurement:
    from core.datasets.dataset import to_unit

    first, test = before.spec.draws, dataset.test

    def more(measured: Measured, images: Tensor, places: np.ndarray) -> Measured:
        if not len(places):
            return measured
        return measured + measure(predictor, images, _noise(spec, images, places).part(first, spec.draws))

    images = to_unit(test.images[before.chosen])
    return replace(
        before,
        spec=spec,
        clean=more(before.clean, images, before.chosen),
        triggered=more(before.triggered, spec.attack.apply(images, before.chosen, seed=spec.seed), before.chosen),
        target_class=more(before.target_class, to_unit(test.images[before.target_chosen]), before.target_chosen),
    )


def _measured(predictor: Predictor, images: Tensor, places: np.ndarray, spec: MeasureSpec) -> Measured:
    noise = _noise(spec, images, places)
    if not len(places):
        nothing = np.zeros(0)
        return Measured(
            votes=np.zeros((0, 2), np.int64), noise=noise, predicted=np.zeros(0, np.int64), confidence=nothing,
            margin=nothing,
        )  # fmt: skip
    smoothness = measure(predictor, images, noise)
    probabilities = predictor.logits(images).double().softmax(1)
    first, second = probabilities.topk(2, dim=1).values.T
    return Measured(
        votes=smoothness.votes,
        noise=smoothness.noise,
        arithmetic=smoothness.arithmetic,
        predicted=probabilities.argmax(1).numpy(),
        confidence=first.numpy(),
        margin=(first - second).numpy(),
    )


def _noise(spec: MeasureSpec, images: Tensor, places: np.ndarray) -> Noise:
    return Noise(spec.sigma, spec.draws, spec.seed, places, where=_noisy_pixels(spec, images))


def _noisy_pixels(spec: MeasureSpec, images: Tensor) -> np.ndarray | None:
    if spec.noise == "everywhere":
        return None
    if spec.attack.random_place:
        raise InputError(
            "The trigger lies somewhere else on every image, so no pixels are its own on all of them: measure it with "
            "noise everywhere."
        )
    covered = spec.attack.trigger.covers(tuple(images.shape[1:]))
    if covered.all():
        raise InputError(
            "This trigger covers the whole image, so no pixel is left for noise beside it: measure it with noise "
            "everywhere."
        )
    return ~covered


def _predicted_as_target(predictor: Predictor, dataset: Dataset, spec: MeasureSpec) -> np.ndarray:
    """Return up to `spec.images` clean test images that are predicted as the target, by the same seeded order."""
    from core.datasets.dataset import to_unit
    from core.instruments.evaluation import choose_images

    if spec.attack.target is None:
        return np.zeros(0, np.int64)
    order = choose_images(dataset.test, -1, len(dataset.test.labels), spec.seed)
    predicted = predictor.labels(to_unit(dataset.test.images)).numpy()
    return order[predicted[order] == spec.attack.target][: spec.images]


_PLACES = ("chosen", "true", "target_chosen")
_SETS = {"clean": "chosen", "triggered": "chosen", "target_class": "target_chosen"}
_OF_A_SET = ("votes", "predicted", "confidence", "margin")


def kept_measurement(spec: MeasureSpec) -> Kept[Measurement]:
    """Return the place of a measurement in any run's directory."""
    return kept_arrays(f"w-{spec.hash}", _to_arrays, partial(_of_arrays, spec))


def _to_arrays(measurement: Measurement) -> Mapping[str, np.ndarray]:
    """Return what the spec does not say: places, votes and predictions, the noisy pixels, and what computed them."""
    arrays = {field: getattr(measurement, field) for field in _PLACES}
    for images in _SETS:
        arrays |= {f"{images}_{field}": getattr(getattr(measurement, images), field) for field in _OF_A_SET}
    where, arithmetic = measurement.clean.noise.where, measurement.clean.arithmetic
    if where is not None:
        arrays["where"] = where
    if arithmetic is not None:
        arrays["arithmetic"] = np.array([str(value) for value in arithmetic])
    return arrays


def _of_arrays(spec: MeasureSpec, arrays: Mapping[str, np.ndarray]) -> Measurement:
    arithmetic = None
    if "arithmetic" in arrays:
        device, dtype, batch = arrays["arithmetic"].tolist()
        arithmetic = Arithmetic(device, dtype, int(batch))

    def measured(images: str) -> Measured:
        noise = Noise(spec.sigma, spec.draws, spec.seed, arrays[_SETS[images]], where=arrays.get("where"))
        values = {field: arrays[f"{images}_{field}"] for field in _OF_A_SET}
        return Measured(noise=noise, arithmetic=arithmetic, **values)

    places = {field: arrays[field] for field in _PLACES}
    clean, triggered, target_class = (measured(images) for images in _SETS)
    return Measurement(spec=spec, clean=clean, triggered=triggered, target_class=target_class, **places)
