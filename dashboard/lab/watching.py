"""A training as it goes on: progress, curves, the slice epoch by epoch, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from core.errors import InputError
from core.glossary import explain
from core.instruments.statistics import Estimate
from core.runs.run import Run, State
from core.training.events import Ended, Epoch, Event, remaining_seconds
from core.training.events import Progress as Step
from core.training.spec import RunSpec
from dashboard import cached
from dashboard.markdown import plain, show_error
from dashboard.parts.curves import show_curves, show_loss
from dashboard.parts.film import show_film
from dashboard.progressive import poll
from dashboard.state import ExploreState, to_query

MOVING = (State.QUEUED, State.RUNNING)


def watch(run: Run, spec: RunSpec) -> None:
    """Show a run's curves; while it or its control moves, twice a second."""
    _ = run.result  # complains here if it is damaged: a fragment would swallow it
    control = run.control()
    control = None if control is None or control.name == run.name else control
    watched = [run] if control is None else [run, control]
    poll(lambda: show_run(run, spec, control), lambda: any(each.state in MOVING for each in watched), pause=0.5)


def show_run(run: Run, spec: RunSpec, control: Run | None) -> None:
    """Show where a run stands: progress, curves, and what can be done next."""
    state, events = run.state, run.events
    show_progress(run, spec, state, events)
    epochs = [event for event in events if isinstance(event, Epoch)]
    theirs = control.epochs if control else []
    show_curves(run, spec, epochs, theirs)
    if control is not None and control.state is not State.DONE:
        show_control(control, spec.control())
    left, right = st.columns([1, 1], gap="medium")
    with left:
        show_film(run, epochs)
    with right:
        show_loss(run, spec, epochs, theirs)
        if state is State.DONE:
            show_outcome(run)


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


def show_share(name: str, share: Estimate) -> None:
    """Show one of the two rates with what it was counted from."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.metric(name, f"{share.value:.1%}", help=explain(name.lower()), width="content")
        st.caption(f"{share.count} of {share.n}", width="content")


def show_outcome(run: Run) -> None:
    """Show what a finished run reached, and the way to look closer."""
    result = run.result
    if result is None:
        return
    accuracy, success = result.clean_accuracy, result.attack_success_rate
    show_share("Clean accuracy", accuracy)
    if success is not None:
        show_share("Attack success rate", success)
    with st.container(key="link-explore"):
        st.page_link("explore/page.py", label="Explore this run →", query_params=to_query(ExploreState(run=run.name)))
