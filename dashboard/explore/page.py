"""Explore: one run beside another, by default its control; the sections are in `dashboard/explore`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial

import streamlit as st

from core.errors import InputError
from core.runs.run import DoneRun
from dashboard.explore.alternatives import show_alternatives
from dashboard.explore.boundary import show_boundary, show_epochs
from dashboard.explore.choosing import choose_scene
from dashboard.explore.detectors import show_detectors
from dashboard.explore.neighbourhood import show_neighbourhood
from dashboard.explore.patterns import show_patterns
from dashboard.explore.samples import choose_image
from dashboard.explore.scene import THIS_RUN, Scene
from dashboard.explore.smoothness import show_smoothness, show_sweep
from dashboard.explore.trigger_map import show_trigger_map
from dashboard.explore.triggers import show_triggers
from dashboard.markdown import show_error
from dashboard.parts.head import copy_link, page_head
from dashboard.parts.how_made import measured_lines, save_trigger, show_how_made
from dashboard.parts.titles import runs_to_look_at
from dashboard.state import ExploreState, get_state, open_state, set_state


def main() -> None:
    """Show the page."""
    state = open_state(ExploreState)
    link = page_head("Explore", "One run beside another: how smooth is the model with the trigger, and without?")
    runs = {run.name: run for run in runs_to_look_at()}
    if not runs:
        st.info("There is no finished run yet. Train one in the Lab, and it appears here.")
        st.page_link("lab/page.py", label="Go to the Lab →")
        return
    with st.container(border=True):
        scene = choose_scene(state, runs)
    if scene is not None:
        try:
            show_scene(scene, runs)
        except InputError as error:
            show_error(error)
    with link:
        copy_link(get_state(ExploreState))


def show_scene(scene: Scene, runs: Mapping[str, DoneRun]) -> None:
    """Show one run beside another."""
    data = cache(scene.data)  # loaded when it is first needed: what was measured before is there without it
    with st.container(border=True):
        found, sweep = show_smoothness(scene, data)
    if sweep is None:
        return  # what follows is about all draws: the page runs again when they are there
    with st.container(border=True):
        st.subheader("Test images", anchor=False)
        image = choose_image(scene, data(), found[THIS_RUN])
    with st.container(border=True):
        st.subheader("The neighbourhood of one image", anchor=False)
        show_neighbourhood(scene, data(), found, image, "Selected")
        pin = get_state(ExploreState).pin
        if pin >= 0:
            show_neighbourhood(scene, data(), found, pin, "Pinned")
    with st.container(border=True):
        show_boundary(scene, data(), found, image)
    if scene.run.spec.attack is not None and scene.run.epochs:
        section("epochs", "How the boundary came about, epoch by epoch", partial(show_epochs, scene))
    section("where", "Where the trigger works", partial(show_trigger_map, scene, data(), found, image))
    section("triggers", "The same run under several triggers", partial(show_triggers, scene, data(), found, runs))
    section("detectors", "W beside other detectors", partial(show_detectors, scene.run, data(), scene.attack))
    section(
        "patterns",
        "Other patterns that make the model smooth",
        partial(show_patterns, scene.run, data(), scene.trigger),
    )
    section("else", "Alternative explanations", partial(show_alternatives, scene, data, found))
    show_how_made(scene.run, "explore", measured_lines(scene.run, scene.spec(), image))
    save_trigger(scene.trigger, scene.run.name, scene.run.result.shape)
    # Takes longest on a new run, and what is above can be looked at meanwhile.
    with sweep:
        show_sweep(scene, data())


def section(name: str, title: str, show: Callable[[], None]) -> None:
    """Show a part of the page that is computed only while it is open; the link remembers which ones are."""
    state = get_state(ExploreState)
    key = f"section.{name}"
    part = st.expander(title, expanded=name in state.shown.split("."), key=key, on_change=partial(_toggle, name, key))
    if part.open:
        with part:
            show()


def _toggle(name: str, key: str) -> None:
    state = get_state(ExploreState)
    shown = [one for one in state.shown.split(".") if one and one != name]
    set_state(replace(state, shown=".".join([*shown, name] if st.session_state[key] else shown)))


main()
