"""One measurement of W on one run: the same test images with and without a trigger, cached in the run's directory."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import InputError
from core.estimators import (
    Interval,
    entropy,
    entropy_interval,
    gap_interval_monte_carlo,
    gap_interval_sampling,
    mean_interval_monte_carlo,
    mean_interval_sampling,
)
from core.runs import Run, write_json
from core.spec import MeasureSpec, content_hash, make_measure_spec
from core.statistics import Proportion, probability_lower, wilcoxon_paired

if TYPE_CHECKING:
    from torch import Tensor

    from core.datasets import Dataset
    from core.predictor import Predictor
    from core.triggers import Trigger


# What the pages measure: enough images and draws to see a gap, few enough to wait for.
PAGE_IMAGES, PAGE_DRAWS = 100, 100
_SWEEP = (0.2, 0.5, 1.0, 1.5, 2.0, 4.0)
_STORED = ("votes", "predicted", "confidence", "margin")


@dataclass(frozen=True, eq=False)
class Side:
    """W of one set of images under one model: the noisy votes, and the plain predictions beside them.

    Attributes
    ----------
    votes
        int64 [N, K], noisy predictions counted.
    predicted
        int64 [N], the class predicted without noise.
    confidence, margin
        float64 [N], the largest softmax probability without noise, and its lead over the second: the plain baselines
        that W has to be better than.
    estimator
        How W is estimated from the votes.
    """

    votes: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    margin: np.ndarray
    estimator: str

    @cached_property
    def w(self) -> np.ndarray:
        """W of each image, float64 [N], divided by log K."""
        return entropy(self.votes, estimator=self.estimator)

    @cached_property
    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """95 % interval of each image's W for more draws: low [N], high [N]."""
        return entropy_interval(self.votes)

    @cached_property
    def mean(self) -> Interval:
        """Mean W with the interval for *more images* (sampling)."""
        return mean_interval_sampling(self.w)

    @cached_property
    def mean_monte_carlo(self) -> Interval:
        """Mean W with the interval for *more draws* on these very images (Monte-Carlo)."""
        return mean_interval_monte_carlo(self.votes)

    @property
    def modal_class(self) -> int:
        """The class that gets most of all noisy votes."""
        return int(self.votes.sum(axis=0).argmax())

    @property
    def modal_share(self) -> float:
        """Its share of all noisy votes."""
        counts = self.votes.sum(axis=0)
        return float(counts.max() / counts.sum())


@dataclass(frozen=True, eq=False)
class Measurement:
    """W of test images without and with a trigger, paired by common noise, and of the target class's own images.

    Attributes
    ----------
    spec
        What was measured.
    chosen
        int64 [N], the measured images' places in the test split; each names its noise too.
    true
        int64 [N], their true classes; none is the target.
    clean, triggered
        The images as they are and with the trigger on them.
    target_chosen, target_class
        Clean test images that the model predicts as the target, and their W: what "smooth because it is that class"
        looks like, without which a low W with the trigger misleads. May be empty.
    """

    spec: MeasureSpec
    chosen: np.ndarray
    true: np.ndarray
    clean: Side
    triggered: Side
    target_chosen: np.ndarray
    target_class: Side

    @cached_property
    def gap(self) -> Interval:
        """Mean of W clean minus W triggered, with the interval for more images; above 0: smoother with the trigger."""
        return gap_interval_sampling(self.clean.w, self.triggered.w)

    @cached_property
    def gap_monte_carlo(self) -> Interval:
        """The same mean with the interval for more draws on these very images."""
        return gap_interval_monte_carlo(self.clean.votes, self.triggered.votes)

    @cached_property
    def p_triggered_lower(self) -> float:
        """Effect size: the share of images whose W is lower with the trigger, ties counted half."""
        return probability_lower(self.triggered.w, self.clean.w).value

    @cached_property
    def p_value(self) -> float:
        """Two-sided Wilcoxon signed-rank test of the paired differences (zsplit); 1 if all are ties."""
        return wilcoxon_paired(self.clean.w, self.triggered.w)

    def part(self, mask: np.ndarray) -> tuple[float, float] | None:
        """Return mean W clean and mean W triggered of some of the images, bool [N]; None if there are none."""
        return (float(self.clean.w[mask].mean()), float(self.triggered.w[mask].mean())) if mask.any() else None

    @cached_property
    def flipped(self) -> np.ndarray:
        """Bool [N]: images that the trigger makes the model predict as the target, without noise."""
        return self.triggered.predicted == self.spec.target


def sweep_sigmas(shape: tuple[int, int, int]) -> list[float]:
    """Return the sigmas of a sweep, ascending: multiples of the one whose noise has an expected length of 4."""
    from core.smoothness import suggested_sigma

    return [float(f"{factor * suggested_sigma(shape):.2g}") for factor in _SWEEP]


def page_measure_spec(trigger: Trigger, target: int, sigma: float, noise: str = "everywhere") -> MeasureSpec:
    """Return what the pages measure of a run at one sigma."""
    return make_measure_spec(
        trigger=trigger, target=target, images=PAGE_IMAGES, sigma=sigma, draws=PAGE_DRAWS, noise=noise
    )


def measure_run(run: Run, spec: MeasureSpec, data_root: Path | str | None = None) -> Measurement:
    """Return this measurement of a run, from its directory if it was made before.

    Raises
    ------
    InputError
        The run is not done, or the trigger or target does not suit its data set.
    """
    path = run.path / "measures" / f"w-{spec.hash}.npz"
    if path.exists():
        return _read(path, spec)
    from core.predictor import Predictor

    dataset = run.dataset(data_root)
    check_attack_on(dataset, spec.trigger, spec.target)
    measurement = measure_model(Predictor(run.model(), device=run.spec.device), dataset, spec)
    with contextlib.suppress(OSError):  # a run that is only lent to us can be measured, if not kept
        _write(path, measurement)
    return measurement


def check_attack_on(dataset: Dataset, trigger: Trigger, target: int) -> None:
    """Raise InputError unless the trigger lies on the data set's images and the target is one of its classes."""
    from core.poisoning import check_target

    check_target(target, dataset)
    trigger.check_fits(dataset.shape)


def measure_model(predictor: Predictor, dataset: Dataset, spec: MeasureSpec) -> Measurement:
    """Measure any model on a data set's test images; see `Measurement`."""
    from core.evaluation import choose_images, to_unit

    test = dataset.test
    chosen = choose_images(test, spec.target, spec.images, spec.seed)
    images = to_unit(test.images[chosen])
    of_target = _predicted_as_target(predictor, dataset, spec)
    return Measurement(
        spec=spec,
        chosen=chosen,
        true=test.labels.numpy()[chosen],
        clean=_side(predictor, images, chosen, spec),
        triggered=_side(predictor, spec.trigger.apply(images), chosen, spec),
        target_chosen=of_target,
        target_class=_side(predictor, to_unit(test.images[of_target]), of_target, spec),
    )


def _side(predictor: Predictor, images: Tensor, places: np.ndarray, spec: MeasureSpec) -> Side:
    if not len(places):
        nothing = np.zeros(0)
        return Side(np.zeros((0, 2), np.int64), nothing.astype(np.int64), nothing, nothing, spec.estimator)
    votes = predictor.votes(
        images, places.tolist(), spec.sigma, spec.draws, spec.seed, clamp=spec.clamp, where=_noisy_pixels(spec, images)
    )
    probabilities = predictor.logits(images).double().softmax(1)
    first, second = probabilities.topk(2, dim=1).values.T
    return Side(votes.numpy(), probabilities.argmax(1).numpy(), first.numpy(), (first - second).numpy(), spec.estimator)


def _noisy_pixels(spec: MeasureSpec, images: Tensor) -> Tensor | None:
    import torch

    if spec.noise == "everywhere":
        return None
    covered = spec.trigger.covers(tuple(images.shape[1:]))
    if covered.all():
        raise InputError(
            "This trigger covers the whole image, so no pixel is left for noise beside it: measure it with noise "
            "everywhere."
        )
    return torch.from_numpy(~covered)


def _predicted_as_target(predictor: Predictor, dataset: Dataset, spec: MeasureSpec) -> np.ndarray:
    """Return up to `spec.images` clean test images that are predicted as the target, by the same seeded order."""
    from core.evaluation import choose_images, to_unit

    order = choose_images(dataset.test, -1, len(dataset.test.labels), spec.seed)
    predicted = predictor.labels(to_unit(dataset.test.images)).numpy()
    return order[predicted[order] == spec.target][: spec.images]


def attack_success_on(run: Run, trigger: Trigger, target: int, data_root: Path | str | None = None) -> Proportion:
    """Return a done run's ASR under any trigger and target, for instance a control's; cached in its directory.

    Raises
    ------
    InputError
        The run is not done, or the trigger or target does not suit its data set.
    """
    result = run.result
    if result and result.attack_success_rate and (run.spec.trigger, run.spec.target) == (trigger, target):
        return result.attack_success_rate
    path = run.path / "measures" / f"asr-{content_hash([trigger.identity, target])}.json"
    if path.exists():
        return Proportion(**json.loads(path.read_text()))
    from core.evaluation import attack_success_rate
    from core.predictor import Predictor

    dataset = run.dataset(data_root)
    check_attack_on(dataset, trigger, target)
    rate = attack_success_rate(Predictor(run.model(), device=run.spec.device), dataset.test, trigger, target)
    path.parent.mkdir(exist_ok=True)
    write_json(path, asdict(rate))
    return rate


def _write(path: Path, measurement: Measurement) -> None:
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f"{path.stem}.new.npz")
    np.savez_compressed(
        temporary,
        chosen=measurement.chosen,
        true=measurement.true,
        target_chosen=measurement.target_chosen,
        **{
            f"{name}_{part}": getattr(getattr(measurement, name), part)
            for name in ("clean", "triggered", "target_class")
            for part in _STORED
        },
    )
    temporary.replace(path)


def _read(path: Path, spec: MeasureSpec) -> Measurement:
    with np.load(path, allow_pickle=False) as stored:
        sides = {
            name: Side(**{part: stored[f"{name}_{part}"] for part in _STORED}, estimator=spec.estimator)
            for name in ("clean", "triggered", "target_class")
        }
        return Measurement(spec, stored["chosen"], stored["true"], target_chosen=stored["target_chosen"], **sides)
