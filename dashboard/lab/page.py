"""Lab: draw or choose a trigger, poison a data set with it, train, and watch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from core.attacks.triggers import AnyTrigger
from core.datasets import Dataset
from core.errors import InputError
from core.figures.pictures import to_pixels
from core.glossary import explain
from core.runs.run import Run
from core.training.check import check_spec
from dashboard import cached
from dashboard.components.pixel_editor import Drawing, pixel_editor
from dashboard.lab import trigger_sources
from dashboard.lab.attack import choose_attack
from dashboard.lab.canvas import current_formula, current_trigger, name_in_link, open_trigger
from dashboard.lab.data import choose_dataset, load
from dashboard.lab.options import choose_options, choose_preset
from dashboard.lab.samples import sample_places, show_samples, show_visibility
from dashboard.lab.saved import show_saved
from dashboard.lab.wanted import spec_of
from dashboard.lab.watching import find_watched, show_epochs, show_standing
from dashboard.markdown import show_error
from dashboard.parts.head import copy_link, page_head
from dashboard.parts.how_made import save_trigger
from dashboard.state import LabState, open_state, save_state, update_state, widget_key


def main() -> None:
    """Show the page."""
    state = open_state(LabState)
    link = page_head("Lab", "Draw a trigger, poison a data set with it, train a model, and watch what it learns.")
    with st.container(border=True):
        columns = st.columns([1.35, 1.05, 1.0, 1.35, 0.85], vertical_alignment="bottom")
        state = choose_dataset(columns[0], state)
        data = load(state)
        if data is None:
            save_state(state)
            with link:
                copy_link(state)
            return
        state = choose_attack(columns[1:], st.container(), state, data)
    drawing = open_trigger(state, data)
    left, right = st.columns([1, 1.06], gap="small")
    with left, st.container(border=True):
        state = edit_trigger(state, data, drawing)
        trigger = current_trigger(drawing)
        state = replace(state, trigger=name_in_link(trigger, data))
    with right:
        with st.container(border=True, gap="small"):
            state = show_train(state, data, trigger)
            watched = find_watched(state, data, trigger)
            if watched is not None:
                show_standing(watched)
        first = watched is not None and watched.is_moving()  # what moves is seen without scrolling
        if watched is not None and first:
            with st.container(border=True):
                show_epochs(watched)
        with st.container(border=True, gap="small"):
            show_samples(data, trigger, state)
        if watched is not None and not first:
            with st.container(border=True):
                show_epochs(watched)
    save_state(state)
    with link:
        copy_link(state)


def edit_trigger(state: LabState, data: Dataset, drawing: Drawing) -> LabState:
    """Show the sources of a trigger, and the canvas or what a formula does."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader("Trigger", help=explain("trigger"), anchor=False, width="content")
        state = trigger_sources.choose_trigger_source(state)
    match state.trigger_source:
        case "picture":
            trigger_sources.show_picture(data, drawing)
        case "text":
            trigger_sources.show_text(data, drawing)
        case "formula":
            trigger_sources.show_formula(data, drawing)
        case "saved":
            trigger = current_trigger(drawing)
            places = sample_places(data, state, trigger)
            show_saved(data, drawing, trigger, sample_image(data, places, state.sample))
        case _:
            trigger_sources.show_presets(data, drawing)
    return show_canvas(state, data, drawing)


def sample_image(data: Dataset, places: np.ndarray, number: int) -> np.ndarray:
    """Return one of the samples, uint8 [C, H, W]; the first training image where there are none."""
    return data.train.images[int(places[number % len(places)]) if len(places) else 0].numpy()


def show_canvas(state: LabState, data: Dataset, drawing: Drawing) -> LabState:
    """Show the pixel editor over a sample image, or the sample under a formula, which cannot be drawn on."""
    places = sample_places(data, state, current_trigger(drawing))
    count = max(1, len(places))
    sample = state.sample % count
    image = sample_image(data, places, sample)
    formula = current_formula()
    if formula is not None:
        trigger_sources.show_formula_on_sample(formula, image, 232)
    else:
        pixel_editor(
            drawing,
            key="editor",
            background=to_pixels(image[None])[0],
            grey=data.shape[0] == 1,
            samples=(sample, count) if count > 1 else None,
            on_sample=lambda step: update_state(LabState, sample=(sample + step) % count),
            on_paste=paste,
        )
    trigger = current_trigger(drawing)
    show_visibility(data, state, trigger, places, sample)
    if trigger is not None:
        save_trigger(trigger, "lab", data.shape)
    return replace(state, sample=sample)


def paste(content: bytes) -> None:
    """Take a pasted picture, and show where it can be cropped and placed."""
    trigger_sources.take_picture(content, "The pasted picture")
    st.session_state[widget_key(LabState, "trigger_source")] = "picture"


def show_train(state: LabState, data: Dataset, trigger: AnyTrigger | None) -> LabState:
    """Show how to train, and the Train button."""
    cached.jobs()  # from the first look on: a worker that is warm by the time somebody presses Train
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader("Training", anchor=False, width="stretch")
        state = choose_preset(state)
        with st.popover("Options"):
            state = choose_options(state, data)
        pressed = st.button(
            "Train", type="primary", key="train", disabled=trigger is None and state.rate > 0, width=110
        )
    if pressed:
        try:
            state = replace(state, run=start(state, data, trigger).name)
        except InputError as error:
            show_error(error)
    if trigger is None and state.rate > 0:
        st.info("The canvas is empty: draw at least one pixel, or choose a preset.")
    return state


def start(state: LabState, data: Dataset, trigger: AnyTrigger | None) -> Run:
    """Queue the run and its control, or neither."""
    spec = spec_of(state, trigger)
    check_spec(spec, data)
    return cached.jobs().submit_with_control(spec)


main()
