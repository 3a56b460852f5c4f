"""The slice through a test image as it changed while the model was trained, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from core.errors import InputError
from core.figures import epoch_film as film_figure
from core.figures.palette import CLASSES
from core.runs.run import Run, State
from core.training.events import Epoch
from dashboard import cached
from dashboard.components.epoch_film import epoch_film

MARKS: tuple[str, ...] = ("without the trigger", "with the trigger", "an image of the target class")


def show_film(run: Run, epochs: Sequence[Epoch]) -> None:
    """Show the slice as it changes, and offer it as an animated picture."""
    planes = [epoch for epoch in epochs if epoch.plane is not None]
    if not planes:
        return
    st.html('<div class="ts-small"><b>The slice, epoch by epoch</b></div>')
    classes = run_classes(run)
    frames = [np.asarray(epoch.plane.labels) for epoch in planes if epoch.plane is not None]
    captions = [caption(epoch, run.spec.epochs) for epoch in planes]
    points = dict(zip(MARKS, cached.film_points(run.path).values(), strict=False))
    epoch_film(frames, captions, classes, colours=CLASSES, points=points, key=f"film.{run.name}")
    if len(planes) > 1 and run.state not in (State.QUEUED, State.RUNNING):
        st.download_button(
            "Save as GIF",
            partial(film_figure.epoch_film, frames, captions, classes, points),
            file_name=f"triggerscope-{run.name}.gif",
            mime="image/gif",
            key=f"film.{run.name}.save",
            on_click="ignore",
        )


def run_classes(run: Run) -> tuple[str, ...]:
    """Return the names of a run's classes, also before it is done; numbers where nothing knows them."""
    if run.result is not None:
        return run.result.classes
    try:
        return cached.dataset(run.spec.dataset, run.spec.fingerprint).classes
    except InputError:
        return tuple(map(str, range(256)))


def caption(epoch: Epoch, epochs: int) -> str:
    """Return what a frame of the film says below."""
    success = epoch.attack_success_rate
    text = f"Epoch {epoch.epoch} of {epochs}"
    return f"{text} · attack success {success.value:.0%}" if success else text
