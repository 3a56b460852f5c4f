"""The only cached calls into core. Keys are hashes and names; what is shared between people is read only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.datasets import Dataset, data_folder, load_dataset
from core.examples import Example, load_example
from core.jobs import Jobs
from core.measurement import Measurement, measure_run
from core.runs import Run, runs_root
from core.spec import MeasureSpec

if TYPE_CHECKING:
    from torch import Tensor

    from core.neighbourhood import CloseLook, Neighbourhood
    from core.predictor import Predictor
    from core.slices import SlicePlane
    from core.triggers import Trigger


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """Return the queue of trainings, with a warm worker at hand; from now on this server counts as living."""
    queue = Jobs(runs_root(), data_folder())
    queue.join_as_server()
    queue.ensure_workers()
    return queue


@st.cache_resource(show_spinner=False)
def warm_torch() -> threading.Thread:
    """Import torch and what stands on it in the background, once a server."""

    def warm() -> None:
        import torch

        import core.slices
        import core.smoothness  # noqa: F401

        torch.set_num_threads(1)  # a predictor's threads are its own, and smaller things take longer on two

    thread = threading.Thread(target=warm, daemon=True)
    thread.start()
    return thread


@st.cache_resource(max_entries=4, show_spinner=False)
def dataset(name: str, fingerprint: str, _progress: Callable[[float, str], None] | None = None) -> Dataset:
    """Return a data set, shared and read only. The fingerprint makes a changed file another one."""
    del fingerprint
    warm_torch().join()
    return load_dataset(name, None, _progress)


@st.cache_resource(max_entries=8, show_spinner=False)
def predictor(path: Path) -> Predictor:
    """Return a done run's predictor; a run's path names its content."""
    warm_torch().join()
    from core.predictor import Predictor

    run = Run(path)
    return Predictor(run.model(), device=run.spec.device)


@st.cache_data(max_entries=256, show_spinner=False)
def measurement(path: Path, spec_hash: str, _spec: MeasureSpec) -> Measurement:
    """Return one measurement of a done run."""
    del spec_hash
    return measure_run(Run(path), _spec)


@st.cache_data(max_entries=64, show_spinner=False)
def plane(
    path: Path, trigger_key: str, clean: int, third: int, resolution: int, _trigger: Trigger, _dataset: Dataset
) -> SlicePlane:
    """Return the slice of a done run through a test image, itself with the trigger, and a third test image."""
    del trigger_key
    from core.evaluation import to_unit
    from core.slices import slice_plane

    origin, across = to_unit(_dataset.test.images[[clean, third]])
    return slice_plane(predictor(path), origin, _trigger.apply(origin[None])[0], across, resolution=resolution)


@st.cache_resource(show_spinner=False)
def example() -> Example:
    """Return the shipped example."""
    return load_example()


@st.cache_data(max_entries=128, show_spinner=False)
def example_neighbourhood(sticker: bool, sigma: float, draws: int, of_control: bool = False) -> Neighbourhood:
    """Return the example's image, with or without the trigger, and its noisy copies."""
    shown = example()
    model = predictor((shown.control if of_control else shown.run).path)
    from core.neighbourhood import look_around

    return look_around(model, _example_images()[1 if sticker else 0], shown.place, sigma, draws)


@st.cache_data(max_entries=1, show_spinner=False)
def example_plane() -> SlicePlane:
    """Return the slice through the example's image, itself with the trigger, and one of the target class."""
    shown = example()
    model = predictor(shown.run.path)
    from core.slices import slice_plane

    return slice_plane(model, *_example_images(), resolution=129)


def _example_images() -> list[Tensor]:
    """Return the example's clean, triggered and third image, float [C, H, W] each."""
    import torch

    from core.evaluation import to_unit

    shown = example()
    clean, third = to_unit(torch.from_numpy(np.stack([shown.image, shown.third])))
    return [clean, shown.run.trigger.apply(clean[None])[0], third]


@st.cache_data(max_entries=256, show_spinner=False)
def close_look(path: Path, trigger_key: str, place: int, sigma: float, _image: Tensor) -> CloseLook:
    """Return what a done run makes of one test image and of noise on it; the key is "" without a trigger."""
    del trigger_key
    model = predictor(path)
    from core.neighbourhood import look_closely

    return look_closely(model, _image, place, sigma)
