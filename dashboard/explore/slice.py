"""The decision boundary around one image: the runs' slices, one selection, what lies under it.

A page calls `show_slice_panel(state, data, sides, image)` and goes on with the state that comes back: its fields
`layer`, `plane` and `point` belong to this panel. The page owns everything else (`sigma` and `draws` are read).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import streamlit as st

from core.datasets import Dataset
from core.errors import InputError
from core.figures.palette import CLASSES
from core.figures.slice_layers import SliceLayer, margin_layer, probability_layer
from core.instruments.slices.choice import PlaneChoice, SpanningImages, spanning_images
from core.runs.measured.w import Measurement
from dashboard import cached
from dashboard.components.slice_view import slice_view
from dashboard.explore.slice_choice import (
    choose_layer,
    choose_plane,
    chosen_planes,
    select_point,
    selected_points,
)
from dashboard.explore.slice_point import show_point, show_walks
from dashboard.explore.slice_scene import SliceScene, SliceSide
from dashboard.explore.slice_sea import Sea, advance_all, measure_sea, show_sea_words
from dashboard.markdown import plain, show_error
from dashboard.progressive import is_moving
from dashboard.state import ExploreState, get_state, set_state

if TYPE_CHECKING:
    from core.instruments.slices.plane import SlicePlane
    from dashboard.progressive import Progressive

# Points a side of the labels, and of probability and margin.
LABELS_SIDE, CONFIDENCE_SIDE = 129, 33
# How long a run of the panel makes better maps before it draws them.
BREATH = 0.35


def show_slice_panel(
    state: ExploreState,
    data: Dataset,
    sides: Mapping[str, SliceSide],
    image: int,
    found: Mapping[str, Measurement] = MappingProxyType({}),
) -> ExploreState:
    """Show the slices of one test image, one for each run, each along its own trigger.

    Parameters
    ----------
    state
        What the page shows; `sigma`, `draws`, `layer`, `plane` and `point` are read.
    data
        The data set whose test images these are.
    sides
        The runs by what the page calls them, with what is put on the image and which class that is to lead to. Where
        that is the same, they are on the same plane; the selection is the same in any case.
    image
        Number of the test image.
    found
        What the page has measured on it under each run, by the same names.

    Returns
    -------
    ExploreState
        The state with what people chose here, for the link. A choice reruns this panel only, which keeps it itself.
    """
    scene = SliceScene(data, sides, image, state.sigma, state.draws, found)
    kept = get_state(ExploreState)
    settled = replace(kept, layer=state.layer, plane=state.plane, point=_point_of(state, scene))
    if settled != kept:
        set_state(settled)
    _panel(scene)
    now = get_state(ExploreState)
    return replace(state, layer=now.layer, plane=now.plane, point=now.point)


def _point_of(state: ExploreState, scene: SliceScene) -> str:
    """The selected point, unless it was selected on the plane through another image."""
    key = " ".join(scene.plane_key(name, PlaneChoice("randoms")) for name in scene.sides)
    before = st.session_state.get("slice.about", key)
    st.session_state["slice.about"] = key
    return state.point if before == key else ""


@st.fragment
def _panel(scene: SliceScene) -> None:
    choices = chosen_planes(scene)
    choice = next(iter(choices.values()))
    try:
        with st.container(horizontal=True, vertical_alignment="bottom", key="slice controls"):
            layer_name = choose_layer(scene)
            choose_plane(scene, choice)
        images = {
            name: spanning_images(choices[name], scene.data, scene.image, side.trigger)
            for name, side in scene.sides.items()
        }
    except InputError as error:
        show_error(error)
        return
    results = _planes(scene, choices, images)
    if problem := next((result.problem for result in results.values() if result.problem), ""):
        show_error(problem)
        return
    planes = {name: result.newest for name, result in results.items() if result.newest is not None}
    unfinished = {
        name: float(planes[name].evaluated.mean())
        for name, result in results.items()
        if is_moving(f"slice.{name}", result)
    }
    layers: dict[str, SliceLayer] = {}
    lines: dict[str, Callable[[], None]] = {}
    sea: Sea | None = None
    if not unfinished and layer_name == "W":
        sea = measure_sea(scene, choices, planes, BREATH)
        layers, unfinished, lines = sea.layers, sea.moving, sea.lines
    elif not unfinished:
        layers = _layers(scene, choices, planes, layer_name)
    selected = selected_points(planes, choice)
    for place, (name, plane) in zip(st.columns(2, gap="medium"), planes.items(), strict=False):
        with place:
            st.caption(f"**{plain(name)}**")
            if name in lines:
                lines[name]()
            slice_view(
                plane,
                scene.data.classes,
                colours=CLASSES,
                point_names=images[name].point_names,
                axis_names=images[name].axis_names,
                sigma=scene.sigma,
                layer=layers.get(name),
                triggered=choice.along_trigger,
                selected=selected[name],
                height_px=400,
                growing=unfinished.get(name),
                group="slices",
                key=f"slice.{name}",
                on_select=select_point,
            )
    if sea is not None:
        show_sea_words(scene, choices, planes, sea)
    show_point(scene, choices, planes, images, selected)
    show_walks(scene)


def _planes(
    scene: SliceScene, choices: Mapping[str, PlaneChoice], images: Mapping[str, SpanningImages]
) -> dict[str, Progressive[SlicePlane]]:
    """The runs' slices: a glimpse that is drawn at once, and finer ones when the browser has drawn that."""
    results = {
        name: cached.plane(side.run.path, scene.plane_key(name, choices[name]), LABELS_SIDE, images[name])
        for name, side in scene.sides.items()
    }
    advance_all(results, BREATH)
    return results


def _layers(
    scene: SliceScene, choices: Mapping[str, PlaneChoice], planes: Mapping[str, SlicePlane], layer: str
) -> dict[str, SliceLayer]:
    """What is drawn over each run's slice, without noise; nothing for the labels."""
    if layer == "labels":
        return {}
    sure = {
        name: cached.plane_confidence(
            scene.sides[name].run.path, scene.plane_key(name, choices[name]), CONFIDENCE_SIDE, plane
        )
        for name, plane in planes.items()
    }
    if layer == "probability":
        return {name: probability_layer(confidence) for name, confidence in sure.items()}
    margins = list(sure.values())
    return {name: margin_layer(confidence, margins) for name, confidence in sure.items()}
