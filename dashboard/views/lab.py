"""Lab: draw or choose a trigger, poison a data set with it, train, and watch."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import streamlit as st

from core.datasets import Dataset, dataset_names, describe, fingerprint
from core.errors import InputError
from core.evaluation import choose_images
from core.events import Ended, Epoch, Event
from core.events import Progress as Step
from core.figures.pictures import picture_row, to_pixels
from core.glossary import explain
from core.poisoning import check_attack, poisoned_count
from core.runs import Run, State, remaining_seconds, run_named
from core.spec import make_spec
from core.triggers import Trigger, make_preset, preset_names
from core.triggers.pictures import read_picture, scale_to_fit
from dashboard import cached
from dashboard.components.pixel_editor import Drawing, pixel_editor
from dashboard.parts import copy_link, load_with_progress, page_head, show_curves
from dashboard.state import ExploreState, LabState, keep, open_state, seed_widget, to_query, widget_key

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

SAMPLES = 8
MOST_RATE, MOST_EPOCHS, MOST_SEED = 30.0, 200, 9999
Number = TypeVar("Number", int, float)


def main() -> None:
    """Show the page."""
    state = open_state(LabState)
    link = page_head("Lab", "Draw a trigger, poison a data set with it, train a model, and watch what it learns.")
    with st.container(border=True):
        columns = st.columns([1.3, 1.2, 1.5, 0.8, 0.8], vertical_alignment="bottom")
        state = choose_dataset(columns[0], state)
        try:
            data = load_with_progress(state.dataset)
        except InputError as error:
            st.error(str(error))
            return
        state = choose_attack(columns[1:], state, data)
    drawing = open_drawing(state, data)
    left, right = st.columns([1, 1], gap="medium")
    with left, st.container(border=True):
        st.subheader("Trigger", help=explain("trigger"))
        state = edit_trigger(state, data, drawing)
        trigger = drawn_trigger(drawing)
        state = replace(state, trigger=trigger_name(trigger, data))
    with right:
        with st.container(border=True):
            st.subheader("Poisoned samples")
            show_samples(data, trigger, state)
        with st.container(border=True):
            state = train_and_watch(state, data, trigger)
    keep(state)
    with link:
        copy_link(state)


def choose_dataset(place: DeltaGenerator, state: LabState) -> LabState:
    """Show the data sets, and a link's own one among them."""
    names = {name: describe(name).title for name in dataset_names()}
    names.setdefault(state.dataset, state.dataset)
    key = seed_widget(state, "dataset")
    names.setdefault(st.session_state[key], st.session_state[key])
    chosen = place.selectbox(
        "Data set", list(names), format_func=lambda name: names[name], key=key, on_change=forget_target
    )
    return replace(state, dataset=chosen)


def choose_attack(columns: list[DeltaGenerator], state: LabState, data: Dataset) -> LabState:
    """Show the settings of the attack and return what they say."""
    last = len(data.classes) - 1
    target = columns[0].selectbox(
        "Target class",
        range(len(data.classes)),
        format_func=lambda label: data.classes[label],
        key=seed_widget(state, "target", within(state.target, 0, last)),
        help=explain("target"),
    )
    rate = columns[1].slider(
        "Poisoning rate",
        0.0,
        MOST_RATE,
        key=seed_widget(state, "rate", within(state.rate, 0.0, MOST_RATE)),
        step=0.5,
        format="%.1f %%",
        help=explain("poisoning rate"),
    )
    epochs = columns[2].number_input(
        "Epochs", 1, MOST_EPOCHS, key=seed_widget(state, "epochs", within(state.epochs, 1, MOST_EPOCHS))
    )
    seed = columns[3].number_input(
        "Seed",
        0,
        MOST_SEED,
        key=seed_widget(state, "seed", within(state.seed, 0, MOST_SEED)),
        help="Decides weights, order and which images are poisoned.",
    )
    return replace(state, target=target, rate=rate, epochs=epochs, seed=seed)


def within(value: Number, lowest: Number, highest: Number) -> Number:
    """Return what a link says, brought into a control's range."""
    return min(max(value, lowest), highest)


def forget_target() -> None:
    """Start another data set at its first class."""
    st.session_state[widget_key(LabState, "target")] = 0


def open_drawing(state: LabState, data: Dataset) -> Drawing:
    """Return this session's drawing, begun from the link's trigger, at the size of the data set's images."""
    size = data.shape[1:]
    drawing: Drawing | None = st.session_state.get("drawing")
    if drawing is None or drawing.rgba.shape[:2] != size or st.session_state.get("drawing.link") != state.trigger:
        canvas = first_canvas(state.trigger, data)
        if drawing is None:
            drawing = Drawing(canvas)
        elif not np.array_equal(drawing.rgba, canvas):
            drawing.replace(canvas)
        st.session_state["drawing"] = drawing
    return drawing


def first_canvas(text: str, data: Dataset) -> np.ndarray:
    """Return the canvas of a preset or a link's trigger; where it does not fit, a sentence and the default preset."""
    try:
        trigger = make_preset(text, data.shape) if text in preset_names() else Trigger.from_link(text)
        return trigger.canvas(data.shape)
    except InputError as error:
        if text:
            st.toast(str(error), icon="⚠️")
        return make_preset("white-corner", data.shape).canvas(data.shape)


def drawn_trigger(drawing: Drawing) -> Trigger | None:
    """Return what is drawn, or None while the canvas is empty."""
    return Trigger.from_canvas(drawing.rgba) if drawing.rgba[..., 3].any() else None


def trigger_name(trigger: Trigger | None, data: Dataset) -> str:
    """Return the trigger as a link carries it: a preset's name if it is one, else its pixels."""
    if trigger is None:
        name = ""
    else:
        name = next((name for name in preset_names() if make_preset(name, data.shape) == trigger), trigger.to_link())
    st.session_state["drawing.link"] = name
    return name


def edit_trigger(state: LabState, data: Dataset, drawing: Drawing) -> LabState:
    """Show presets, upload and the editor."""
    titles = preset_names()
    with st.container(horizontal=True, vertical_alignment="top"):
        name = trigger_name(drawn_trigger(drawing), data)
        st.session_state["preset"] = name if name in titles else None
        st.pills(
            "Presets",
            list(titles),
            format_func=lambda name: titles[name],
            key="preset",
            on_change=use_preset,
            args=(drawing, data),
            label_visibility="collapsed",
            width=390,
            wrap=True,
        )
        with st.popover("Upload", help="A picture from your computer as the trigger"):
            upload(data, drawing)
    chosen = sample_images(data, state.target)
    state = replace(state, sample=st.session_state.get(widget_key(LabState, "sample"), state.sample))
    background = to_pixels(data.train.images[chosen[[state.sample % len(chosen)]]])[0]
    pixel_editor(drawing, key="editor", background=background, grey=data.shape[0] == 1)
    return state


def use_preset(drawing: Drawing, data: Dataset) -> None:
    """Put the chosen preset on the canvas; choosing it once more leaves it there."""
    name = st.session_state["preset"]
    if name is not None:
        drawing.replace(make_preset(name, data.shape).canvas(data.shape))


def upload(data: Dataset, drawing: Drawing) -> None:
    """Take a picture file as the trigger: once, when it is new."""
    file = st.file_uploader("PNG, JPEG, WebP or BMP", key="upload", max_upload_size=20)
    if file is None or st.session_state.get("upload.taken") == file.file_id:
        return
    st.session_state["upload.taken"] = file.file_id
    try:
        pixels = read_picture(file.getvalue(), file.name)
    except InputError as error:
        st.error(str(error))
        return
    height, width = data.shape[1:]
    fitted = scale_to_fit(pixels, max(2, height // 2), max(2, width // 2))
    canvas = np.zeros((height, width, 4), np.uint8)
    canvas[height - fitted.shape[0] :, width - fitted.shape[1] :] = fitted
    drawing.replace(canvas)
    st.toast(f"{file.name} is on the canvas at {fitted.shape[1]}×{fitted.shape[0]} pixels: move it with the arrows.")
    st.rerun()


def sample_images(data: Dataset, target: int) -> np.ndarray:
    """Return the training images shown as samples: outside the target class, always the same ones."""
    return choose_images(data.train, target, SAMPLES, seed=0)


def show_samples(data: Dataset, trigger: Trigger | None, state: LabState) -> None:
    """Show eight images with the trigger on them, and what an attack at this rate does."""
    images = data.train.images[sample_images(data, state.target)]
    shown = images if trigger is None else trigger.apply(images)
    target = data.classes[state.target]
    st.image(picture_row(shown, 96), width="stretch", alt=f"{SAMPLES} training images with the trigger on them")
    count, total = poisoned_count(state.rate / 100, len(data.train)), len(data.train)
    if state.rate == 0:
        st.caption(f"At rate 0 none of the {total} training images is poisoned: this trains the control.")
    else:
        st.caption(f"{count} of {total} training images get the trigger and the label **{target}**.")


def train_and_watch(state: LabState, data: Dataset, trigger: Trigger | None) -> LabState:
    """Show the Train button, and the run that is being watched."""
    cached.jobs()  # from the first look on: a worker that is warm by the time somebody presses Train
    top = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute")
    top.subheader("Training")
    if top.button("Train", type="primary", key="train", disabled=trigger is None and state.rate > 0, width=120):
        try:
            run = start(state, data, trigger)
            state = replace(state, run=run.name)
        except InputError as error:
            st.error(str(error))
    if trigger is None and state.rate > 0:
        st.info("The canvas is empty: draw at least one pixel, or choose a preset.")
    if state.run:
        run = run_named(state.run, cached.jobs().root)
        if run is None:
            st.warning(f"The run {state.run[:40]} in this link is not on this machine. Press Train to make it.")
        else:
            try:
                watch(run)
            except InputError as error:
                st.error(str(error))
    else:
        st.caption("Train poisons the data set, trains a model on it, and trains its control beside it.")
    return state


def start(state: LabState, data: Dataset, trigger: Trigger | None) -> Run:
    """Queue the run, and its control behind it."""
    named = None if trigger is None else trigger.model_copy(update={"name": short_name(state.trigger)})
    spec = make_spec(
        dataset=state.dataset,
        fingerprint=fingerprint(state.dataset),
        trigger=named,
        target=state.target,
        rate=state.rate / 100,
        epochs=state.epochs,
        seed=state.seed,
    )
    check_attack(spec, data)
    queue = cached.jobs()
    run = queue.submit(spec)
    if not spec.is_control:
        queue.submit(spec.control())
    return run


def short_name(link: str) -> str:
    """Return what to call a trigger in lists."""
    return link if link in preset_names() else "drawn"


def watch(run: Run) -> None:
    """Show a run's curves; while it or its control moves, twice a second."""
    _ = run.spec, run.result  # complains here if they are damaged: a fragment would swallow it
    control = run.control()
    moving = (State.QUEUED, State.RUNNING)
    going_on = run.state in moving or (control is not None and control.state in moving)
    st.fragment(run_every=0.5 if going_on else None)(show_run)(run, going_on)


def show_run(run: Run, was_going_on: bool) -> None:
    """Show where a run stands: progress, curves, and what can be done next."""
    control = run.control()
    control = None if control is None or control.name == run.name else control
    state, events = run.state, run.events
    show_progress(run, state, events)
    epochs = [event for event in events if isinstance(event, Epoch)]
    show_curves(run.spec, epochs, control.epochs if control else [])
    if control is not None and control.state is not State.DONE:
        st.caption(f"Control: {control.state}, {len(control.epochs)} of {run.spec.epochs} epochs.")
    if state is State.DONE:
        show_outcome(run)
    moving = (State.QUEUED, State.RUNNING)
    if was_going_on and state not in moving and (control is None or control.state not in moving):
        st.rerun()


def show_progress(run: Run, state: State, events: list[Event]) -> None:
    """Show a bar with time left and Cancel, or how the run ended."""
    if state in (State.QUEUED, State.RUNNING):
        step = next((event for event in reversed(events) if isinstance(event, Step | Epoch)), None)
        left = remaining_seconds(events, time.time())
        text = "Waiting for a worker" if state is State.QUEUED else "Starting"
        if step is not None:
            text = f"Epoch {min(step.epoch, run.spec.epochs)} of {run.spec.epochs}"
            text += f", about {left:.0f} s left" if left is not None else ""
        bar, button = st.columns([4, 1], vertical_alignment="center")
        bar.progress(step.share if step else 0.0, text=text)
        button.button("Cancel", key="cancel", on_click=cancel, args=(run,))
        return
    ended = next((event for event in reversed(events) if isinstance(event, Ended)), None)
    if state is State.FAILED and ended is not None:
        st.error(ended.reason)
    elif state in (State.CANCELLED, State.INTERRUPTED):
        st.warning(f"This training was {state}. Press Train to start it again.")


def cancel(run: Run) -> None:
    """Stop a run, and its control with it."""
    queue = cached.jobs()
    queue.cancel(run)
    control = run.control()
    if control is not None:
        queue.cancel(control)


def show_outcome(run: Run) -> None:
    """Show what a finished run reached, and the way to look closer."""
    result = run.result
    if result is None:
        return
    accuracy, success = result.clean_accuracy, result.attack_success_rate
    columns = st.columns([1, 1, 1.2], vertical_alignment="center")
    columns[0].metric("Clean accuracy", f"{accuracy.value:.1%}", help=explain("clean accuracy"))
    columns[0].caption(f"{accuracy.successes} of {accuracy.n}")
    if success is not None and success.value is not None:
        columns[1].metric("Attack success rate", f"{success.value:.1%}", help=explain("attack success rate"))
        columns[1].caption(f"{success.successes} of {success.n}")
    columns[2].page_link(
        "views/explore.py", label="Explore this run →", query_params=to_query(ExploreState(run=run.name))
    )


main()
