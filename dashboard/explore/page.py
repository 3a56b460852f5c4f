"""Explore: one run next to another, by default its control; the sections are in `dashboard/explore`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial

import streamlit as st

from core.datasets import Dataset
from core.errors import InputError
from core.glossary import explain
from core.runs.measured.w import Measurement
from core.runs.run import DoneRun
from dashboard.explore.alternatives import show_more_alternatives, show_why
from dashboard.explore.audit import show_audit
from dashboard.explore.boundary import show_boundary, show_epochs
from dashboard.explore.choosing import choose_scene
from dashboard.explore.detectors import show_detectors
from dashboard.explore.neighbourhood import show_neighbourhood
from dashboard.explore.patterns import show_patterns
from dashboard.explore.samples import keep_selected_images, show_grid
from dashboard.explore.scene import Scene
from dashboard.explore.smoothness import show_smoothness, show_sweep
from dashboard.explore.trigger_map import show_trigger_map
from dashboard.explore.triggers import show_triggers
from dashboard.explore.who import has_failed, known_successes, show_who, show_whole_who
from dashboard.markdown import show_error
from dashboard.parts.head import copy_link, page_head
from dashboard.parts.how_made import measured_lines, save_trigger, show_how_made
from dashboard.parts.titles import runs_to_look_at
from dashboard.state import ExploreState, get_state, open_state, set_state


def main() -> None:
    """Show the page."""
    state = open_state(ExploreState)
    link = page_head("Explore", "Did the attack work, and is the model smoother where the trigger is?")
    runs = {run.name: run for run in runs_to_look_at()}
    if not runs:
        st.info("There is no finished run yet. Train one in the Lab, and it appears here.")
        st.page_link("lab/page.py", label="Go to the Lab →")
        return
    with st.container(border=True, key="wide choice"):
        scene = choose_scene(state, runs)
    try:
        if scene is not None:
            show_scene(scene, runs)
        elif (run := runs.get(get_state(ExploreState).run)) is not None:
            with st.container(border=True):
                st.subheader("No trigger is known", anchor=False)
                show_audit(run)
    except InputError as error:
        show_error(error)
    with link:
        copy_link(get_state(ExploreState))


def show_scene(scene: Scene, runs: Mapping[str, DoneRun]) -> None:
    """Show who the runs are, what W says of them and why, the picture of it, and then what there is in depth."""
    data = cache(scene.data)  # loaded when it is first needed: what was measured before is there without it
    with st.container(border=True):
        who = st.empty()
    with who.container():
        show_who(scene, known_successes(scene))
    with st.container(border=True):
        found, sweep = show_smoothness(scene, data)
    if not found:
        return
    image, pin = keep_selected_images(found[scene.name])
    with who.container():
        successes = show_whole_who(scene, data(), image)
    if sweep is None:
        return  # what follows is about all draws: the page runs again when they are there
    with st.container(border=True, key="why"):
        show_why(scene, found, has_failed(scene, successes))
    with st.container(border=True):
        st.subheader("The picture", help=explain("slice"), anchor=False)
        show_boundary(scene, data(), found, image)
    section("images", "Choose another test image", partial(show_grid, scene, data(), found[scene.name]))
    section("around", "One image and its noisy copies", partial(_show_around, scene, data(), found, image, pin))
    section("else", "Noise off the trigger, and no noise at all", partial(show_more_alternatives, scene, data, found))
    if scene.run.spec.attack is not None and scene.run.epochs:
        section("epochs", "How the boundary came about, epoch by epoch", partial(show_epochs, scene))
    section("where", "Where the trigger works", partial(show_trigger_map, scene, data(), found, image))
    section("triggers", "Other triggers on this model", partial(show_triggers, scene, data(), found, runs))
    section(
        "detectors", "How W compares with other detectors", partial(show_detectors, scene.run, data(), scene.attack)
    )
    section(
        "patterns",
        "Other patterns that make the model smooth",
        partial(show_patterns, scene.run, data(), scene.trigger),
    )
    section("audit", "Look for a backdoor without a trigger", partial(show_audit, scene.run))
    show_how_made(scene.run, "explore", measured_lines(scene.run, scene.spec(), image))
    save_trigger(scene.trigger, scene.run.name, scene.run.result.shape)
    # Takes longest on a new run, and what is above can be looked at meanwhile.
    with sweep:
        show_sweep(scene, data())


def _show_around(scene: Scene, data: Dataset, found: dict[str, Measurement], image: int, pin: int) -> None:
    show_neighbourhood(scene, data, found, image, "Selected")
    if pin >= 0:
        show_neighbourhood(scene, data, found, pin, "Pinned")


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
