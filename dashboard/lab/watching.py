"""A training as it goes on: progress, curves, the slice epoch by epoch, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core.attacks.triggers import AnyTrigger
from core.datasets import Dataset
from core.errors import InputError
from core.runs.root import run_named
from core.runs.run import Run, State
from core.training.events import Ended, Epoch, Event, remaining_seconds
from core.training.events import Progress as Step
from core.training.spec import RunSpec
from dashboard import cached
from dashboard.lab.verdict import show_verdict
from dashboard.lab.wanted import adopt, are_settings_of
from dashboard.markdown import plain, show_error
from dashboard.parts.curves import show_curves, show_loss
from dashboard.parts.film import show_film
from dashboard.parts.how_made import show_how_made
from dashboard.parts.lab_link import lab_state
from dashboard.parts.titles import run_title
from dashboard.progressive import poll
from dashboard.state import LabState

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

MOVING = (State.QUEUED, State.RUNNING)
PAUSE = 0.5


@dataclass(frozen=True)
class Watched:
    """The run that is watched.

    Attributes
    ----------
    run, spec, control
        The run and its control; None for a control, and where there is none.
    data
        Its data set, if the page's controls are its settings; None if they are others.
    """

    run: Run
    spec: RunSpec
    control: Run | None
    data: Dataset | None

    def is_moving(self) -> bool:
        """Say whether the run or its control waits or is trained."""
        return any(each is not None and each.state in MOVING for each in (self.run, self.control))


def find_watched(state: LabState, data: Dataset, trigger: AnyTrigger | None) -> Watched | None:
    """Return the run that the link names; where there is none to watch, say why and return None."""
    if not state.run:
        st.caption(
            "Press *Train*: the data set is poisoned, a model is trained on it and, alongside, a clean twin "
            "(the control)."
        )
        return None
    run = run_named(state.run, cached.jobs().root)
    if run is None:
        st.warning(f"The run {plain(state.run[:40])} in this link is not on this machine. Press Train to make it.")
        return None
    try:
        spec, _ = run.spec, run.result  # complains here if it is damaged: a fragment would swallow it
        if not isinstance(spec, RunSpec):
            st.info("The run in this link is a loaded model, which was not trained here: look at it in Explore.")
            return None
        control = run.control()
        control = None if control is None or control.name == run.name else control
        if control is not None:
            _ = control.result
    except InputError as error:
        show_error(error)
        return None
    return Watched(run, spec, control, data if are_settings_of(spec, state, trigger) else None)


def show_standing(watched: Watched) -> None:
    """Show where a run stands: how far it is, or what it reached; twice a second while it or its control moves."""
    with placed(watched, "standing"):
        if watched.data is None:
            words, button = st.columns([3, 1.15], vertical_alignment="center")
            words.caption(f"This is **{plain(run_title(watched.run))}**. Press Train for the settings above.")
            back = lab_state(watched.spec, watched.run.name)
            button.button("Back to its settings", key="back", on_click=adopt, args=(back,), type="tertiary")
        poll(lambda: show_run(watched), watched.is_moving, pause=PAUSE)


def show_epochs(watched: Watched) -> None:
    """Show a run's curves, and the slice epoch by epoch; twice a second while it or its control moves."""
    with placed(watched, "epochs"):
        poll(lambda: show_curves_and_film(watched), watched.is_moving, pause=PAUSE)


def placed(watched: Watched, what: str) -> DeltaGenerator:
    """Return a place for a part of a run: greyed while the page's controls say something else."""
    return st.container(key=f"{what}-of-{'these' if watched.data is not None else 'other'}-settings", gap="small")


def show_run(watched: Watched) -> None:
    """Show progress, or the verdict."""
    run, spec, control = watched.run, watched.spec, watched.control
    state, result = run.state, run.result
    if state is State.DONE and result is not None:
        show_verdict(run, spec, result, control, watched.data)
    else:
        show_progress(run, spec, state, run.events)
    if control is not None and control.state is not State.DONE:
        show_control(control, spec.control())


def show_curves_and_film(watched: Watched) -> None:
    """Show accuracy, W and loss over the epochs, and the slice."""
    run, spec, epochs = watched.run, watched.spec, watched.run.epochs
    theirs = watched.control.epochs if watched.control else []
    show_curves(run, spec, epochs, theirs)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        show_film(run, epochs)
    with right:
        show_loss(run, spec, epochs, theirs)
    if run.state is State.DONE:
        show_how_made(run, "lab")


def show_progress(run: Run, spec: RunSpec, state: State, events: Sequence[Event]) -> None:
    """Show a bar with time left and Stop, or how the run ended and Resume."""
    if state in MOVING:
        bar, button = st.columns([4, 1], vertical_alignment="center")
        step = next((event for event in reversed(events) if isinstance(event, Step | Epoch)), None)
        bar.progress(step.share if step else 0.0, text=progress_text(run, state, step, events))
        button.button("Stop", key="stop", on_click=stop, args=(run,))
        return
    ended = next((event for event in reversed(events) if isinstance(event, Ended)), None)
    if state is State.FAILED and ended is not None:
        show_error(ended.reason)
    elif state in (State.CANCELLED, State.INTERRUPTED):
        done = sum(isinstance(event, Epoch) for event in events)
        words, button = st.columns([4, 1], vertical_alignment="center")
        words.warning(f"This training was {state.shown} after {done} of {spec.epochs} epochs.")
        button.button("Resume", key="resume", type="primary", on_click=resume, args=(spec,))


def progress_text(run: Run, state: State, step: Step | Epoch | None, events: Sequence[Event]) -> str:
    """Return what to say on the bar: the place in the queue, or epoch and time left."""
    if state is State.QUEUED:
        position = cached.jobs().position(run)
        return f"Waiting for a worker, number {position} in the queue" if position else "Waiting for a worker"
    if step is None:
        return "Starting"
    left = remaining_seconds(list(events), time.time())
    text = f"Epoch {min(step.epoch, run.spec.epochs)} of {run.spec.epochs}"
    return text + (f", about {left:.0f} s left" if left is not None else "")


def show_control(control: Run, spec: RunSpec) -> None:
    """Say how far the control is, or that it has stopped and can be resumed."""
    state, done = control.state, len(control.epochs)
    text = f"Control: {state.shown}, {done} of {spec.epochs} epochs."
    if state in MOVING:
        st.caption(text)
        return
    words, button = st.columns([4, 1], vertical_alignment="center")
    words.caption(text)
    button.button("Resume", key="resume.control", on_click=resume, args=(spec,))


def resume(spec: RunSpec) -> None:
    """Resume a run from its last whole epoch, and its control with it."""
    try:
        cached.jobs().submit_with_control(spec)
    except InputError as error:
        st.toast(plain(str(error)), icon="⚠️")


def stop(run: Run) -> None:
    """Stop a run, and its control with it if no other run needs it."""
    cached.jobs().cancel_with_control(run)
