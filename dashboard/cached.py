"""The only cached calls into core. Keys are hashes and names; what is shared between people is read only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.datasets import Dataset, data_folder, load_dataset, load_test
from core.errors import InputError
from core.instruments.shipped_views import COPIES, DRAWS, RESOLUTION
from core.runs.jobs.queue import Queue
from core.runs.measured.outcome import Evidence, evidence_steps
from core.runs.measured.spec import MeasureSpec
from core.runs.measured.w import Measurement, measure_run, measure_steps, stored_measurement
from core.runs.root import runs_root
from core.runs.run import Run
from core.runs.shipped.examples import Example, load_example
from core.runs.shipped.seas import find_smoothness, load_sea
from core.training.spec import RunSpec
from dashboard.progressive import Progressive, progressive

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.triggers import Trigger
    from core.instruments.certificate import Certificate
    from core.instruments.detectors.comparison import Comparison, ComparisonSpec
    from core.instruments.neighbourhood import Neighbourhood
    from core.instruments.predictor import Predictor
    from core.instruments.shipped_sea import ShippedSea
    from core.instruments.slices.choice import SpanningImages
    from core.instruments.slices.line import Line
    from core.instruments.slices.plane import SlicePlane
    from core.instruments.slices.plane_smoothness import PlaneSmoothness, Surroundings
    from core.instruments.slices.refine import PlaneConfidence, PlanePoint
    from core.runs.measured.audit import Audit
    from core.runs.measured.patterns import EffectSpec, PatternFinding


@st.cache_resource(show_spinner=False)
def jobs() -> Queue:
    """Return the queue of trainings, with a warm worker at hand; from now on this server counts as living."""
    queue = Queue(runs_root(), data_folder())
    queue.join_as_server()
    queue.ensure_workers()
    return queue


@st.cache_resource(show_spinner=False)
def _torch_is_warm() -> threading.Event:
    return threading.Event()


def can_compute() -> bool:
    """Say whether torch is at hand, so that a model answers within a moment; starts nothing."""
    return _torch_is_warm().is_set()


@st.cache_resource(show_spinner=False)
def warm_torch() -> threading.Thread:
    """Import torch and what stands on it in the background, once a server."""
    warmed = _torch_is_warm()

    def warm() -> None:
        import torch

        import core.instruments.slices.refine
        import core.instruments.smoothness  # noqa: F401

        torch.set_num_threads(1)  # a predictor's threads are its own, and smaller things take longer on two
        warmed.set()

    thread = threading.Thread(target=warm, daemon=True)
    thread.start()
    return thread


Report = Callable[[float, str], None]
_MOST_DATASETS = 6


class _Shelf:
    """Data sets in use, shared and read only, the latest few.

    Not Streamlit's cache: that one repeats what a page draws meanwhile, and fails where that is progress in a place of
    the page's own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str, str], Dataset] = {}

    def get(self, name: str, fingerprint: str, load: Callable[..., Dataset], progress: Report | None) -> Dataset:
        """Return a data set, loaded if it is not at hand. The fingerprint makes a changed file another one."""
        warm_torch().join()
        key = name, fingerprint, load.__name__
        with self._lock:
            found = self._kept.pop(key, None) or load(name, None, progress)
            self._kept[key] = found
            while len(self._kept) > _MOST_DATASETS:
                del self._kept[next(iter(self._kept))]
        return found


@st.cache_resource(show_spinner=False)
def _shelf() -> _Shelf:
    return _Shelf()


def dataset(name: str, fingerprint: str, progress: Report | None = None) -> Dataset:
    """Return a data set, shared and read only."""
    return _shelf().get(name, fingerprint, load_dataset, progress)


def data_to_look_at(name: str, fingerprint: str, progress: Report | None = None) -> Dataset:
    """Return a data set for looking at its test images alone, shared and read only; its `train` may be empty."""
    return _shelf().get(name, fingerprint, load_test, progress)


@st.cache_resource(max_entries=8, show_spinner=False)
def predictor(path: Path) -> Predictor:
    """Return a done run's predictor; a run's path names its content."""
    warm_torch().join()
    return Run(path).finished().predictor()


@st.cache_data(max_entries=32, show_spinner=False)
def film_points(path: Path) -> dict[str, tuple[float, float]]:
    """Return where the three images that span a run's watched plane lie on it; see `core.figures.epoch_film.marks`.

    To be called once the run has an epoch. Empty where it watches no plane, or its data set is no
    longer at hand.
    """
    from core.figures.epoch_film import marks

    run = Run(path)
    spec, plane = run.spec, run.epochs[0].plane
    if not isinstance(spec, RunSpec) or spec.attack is None or plane is None:
        return {}
    try:
        data = data_to_look_at(spec.dataset, spec.fingerprint)
    except InputError:
        return {}
    return marks(plane, spec.attack, data, spec.seed)


@st.cache_data(max_entries=256, show_spinner=False)
def measurement(path: Path, spec_hash: str, _spec: MeasureSpec) -> Measurement:
    """Return one measurement of a done run."""
    del spec_hash
    return measure_run(Run(path), _spec)


def measurement_steps(run: Run, spec: MeasureSpec, data: Dataset) -> Iterator[Measurement]:
    """Yield ever better measurements of a done run; at once the last one, if it was made before."""
    if stored_measurement(run, spec) is not None:
        yield measurement(run.path, spec.hash, spec)
        return
    yield from measure_steps(run, spec, lambda: predictor(run.path), lambda: data)


def evidence(run: Run, control: Run | None, data: Dataset) -> Progressive[Evidence]:
    """Return what is measured of a done run and its control right after training; more of it when asked to."""

    def start() -> Iterator[Evidence]:
        return evidence_steps(run, control, lambda one: predictor(one.path), data)

    return progressive(f"evidence {run.path} {control.path if control else None}", start)


@st.cache_resource(show_spinner=False)
def example(name: str) -> Example:
    """Return a shipped example, one of `core.runs.shipped.examples.EXAMPLE_NAMES`."""
    return load_example(name)


@st.cache_resource(show_spinner=False)
def sea(name: str) -> ShippedSea:
    """Return W over a plane of a shipped example or of a run in the gallery, and of its control."""
    return load_sea(name)


def example_neighbourhood(
    name: str, trigger: Trigger | None, sigma: float, of_control: bool = False
) -> Progressive[Neighbourhood]:
    """Return an example's image with a trigger, or without, and its noisy copies: at once, then with all draws."""
    shown = example(name)

    def start() -> Iterator[Neighbourhood]:
        model = predictor((shown.control if of_control else shown.run).path)
        from core.instruments.neighbourhood import neighbourhood_steps

        return neighbourhood_steps(model, _example_image(name, trigger), shown.place, sigma, DRAWS, shown=COPIES)

    return progressive(f"example {name} {trigger and trigger.to_link()} {sigma} {of_control}", start)


def example_plane(name: str, trigger: Trigger) -> Progressive[SlicePlane]:
    """Return the slice through an example's image, itself with a trigger, and one of the target class, ever finer."""

    def start() -> Iterator[SlicePlane]:
        model = predictor(example(name).run.path)
        import torch

        from core.datasets.dataset import to_unit
        from core.instruments.slices.refine import slice_plane_steps

        third = to_unit(torch.from_numpy(example(name).third))
        images = _example_image(name, None), _example_image(name, trigger), third
        return slice_plane_steps(model, *images, resolution=RESOLUTION)

    return progressive(f"plane of example {name} {trigger.to_link()}", start)


def _example_image(name: str, trigger: Trigger | None) -> Tensor:
    """Return an example's image with a trigger, or without, float [C, H, W]."""
    import torch

    from core.datasets.dataset import to_unit

    image = to_unit(torch.from_numpy(example(name).image[None]))
    return (image if trigger is None else trigger.apply(image))[0]


@st.cache_data(max_entries=128, show_spinner=False)
def noisy_copies(
    path: Path, trigger_key: str, place: int, sigma: float, shown: int, _image: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first noisy copies of one test image and what a done run takes them for; the key is "" if clean."""
    del trigger_key
    from core.instruments.neighbourhood import noisy_copies as make

    return make(predictor(path), _image, place, sigma, shown=shown)


@st.cache_data(max_entries=256, show_spinner=False)
def certificate(path: Path, trigger_key: str, place: int, sigma: float, _image: Tensor) -> Certificate:
    """Return a done run's certificate of one test image; the key is "" without a trigger."""
    del trigger_key
    from core.instruments.neighbourhood import certified_radius

    return certified_radius(predictor(path), _image, place, sigma)


def is_measured(run: Run, spec: MeasureSpec) -> bool:
    """Say whether a measurement is at hand without computing."""
    return stored_measurement(run, spec) is not None


def plane(
    path: Path, plane_key: str, resolution: int, images: SpanningImages, shown: tuple[tuple[float, float], ...] = ()
) -> Progressive[SlicePlane]:
    """Return the slice of a done run through three images, finer when asked to; for `shown` see `blank_plane`."""

    def start() -> Iterator[SlicePlane]:
        model = predictor(path)
        from core.instruments.slices.refine import slice_plane_steps

        return slice_plane_steps(model, images.origin, images.toward, images.across, resolution, shown)

    return progressive(f"plane {path} {plane_key} {resolution} {shown}", start)


@st.cache_data(max_entries=64, show_spinner=False)
def plane_confidence(path: Path, plane_key: str, resolution: int, _plane: SlicePlane) -> PlaneConfidence:
    """Return top probability and margin over a slice."""
    del plane_key
    from core.instruments.slices.refine import confidence_over_plane

    return confidence_over_plane(predictor(path), _plane, resolution)


def plane_smoothness(
    path: Path, plane_key: str, resolution: int, sigma: float, draws: int, plane: SlicePlane
) -> Progressive[PlaneSmoothness]:
    """Return W over a slice, at few points first and at more when asked to; at once all of it, where it is shipped."""

    def start() -> Iterator[PlaneSmoothness]:
        if (shipped := find_smoothness(path, sigma, plane)) is not None:
            return iter([shipped])
        model = predictor(path)
        from core.instruments.slices.refine import smoothness_over_plane_steps

        return smoothness_over_plane_steps(model, plane, sigma, draws, resolution=resolution)

    return progressive(f"W over a plane {path} {plane_key} {resolution} {sigma} {draws}", start)


@st.cache_data(max_entries=256, show_spinner=False)
def plane_surroundings(
    path: Path,
    plane_key: str,
    resolution: int,
    sigma: float,
    draws: int,
    _smoothness: PlaneSmoothness,
    _plane: SlicePlane,
) -> Surroundings | None:
    """Return mean W over a slice around its clean image and around the one with the trigger."""
    del path, plane_key, resolution, sigma, draws
    from core.instruments.slices.plane_smoothness import surroundings

    return surroundings(_smoothness, _plane)


@st.cache_data(max_entries=256, show_spinner=False)
def plane_point(
    path: Path, plane_key: str, x: float, y: float, sigma: float, draws: int, key: int, _plane: SlicePlane
) -> PlanePoint:
    """Return what a done run makes of one point of a slice."""
    del plane_key
    from core.instruments.slices.refine import look_at_point

    return look_at_point(predictor(path), _plane, x, y, sigma, draws, key=key)


@st.cache_data(max_entries=256, show_spinner=False)
def trigger_line(
    path: Path, trigger_key: str, fingerprint: str, image: int, _clean: Tensor, _triggered: Tensor
) -> Line:
    """Return what a done run predicts on the way from a test image to the same with the trigger, float [C, H, W]."""
    del trigger_key, fingerprint, image
    from core.instruments.slices.line import line_between

    return line_between(predictor(path), _clean, _triggered)


def comparison(path: Path, name: str, spec: ComparisonSpec) -> Progressive[Comparison]:
    """Return what detectors make of a done run; more of them when asked to."""

    def start() -> Iterator[Comparison]:
        warm_torch().join()
        from core.runs.measured.detectors import detect_run

        return detect_run(Run(path), spec)

    return progressive(f"detectors {path} {name}", start)


def audit(path: Path) -> Progressive[Audit]:
    """Return what is found in a done run without knowing a trigger; more when asked to."""

    def start() -> Iterator[Audit]:
        warm_torch().join()
        from core.runs.measured.audit import audit_run

        return audit_run(Run(path))

    return progressive(f"audit {path}", start)


def pattern(path: Path, name: str, spec: EffectSpec) -> Progressive[PatternFinding]:
    """Return a pattern searched on a done run, which gets better when asked to and is measured in the end."""

    def start() -> Iterator[PatternFinding]:
        warm_torch().join()
        from core.runs.measured.patterns import measure_pattern

        return measure_pattern(Run(path), spec)

    return progressive(f"pattern {path} {name}", start)
