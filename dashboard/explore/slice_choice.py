"""What people choose about slices: the layer, the plane and the point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from core.errors import InputError
from core.instruments.budgets import SLICE_POINT_DRAWS, SLICE_SOON
from core.instruments.slices.choice import PlaneChoice
from core.runs.model_file import multiplications
from dashboard.components.slice_view import Point
from dashboard.explore.slice_scene import SliceScene
from dashboard.markdown import plain
from dashboard.state import ExploreState, get_state, save_state, seed_word_default, widget_key

if TYPE_CHECKING:
    from core.instruments.slices.plane import SlicePlane

LAYERS = {"W": "W", "labels": "Labels", "probability": "Probability", "margin": "Margin"}
KINDS = {
    "random": "The trigger, and a random direction",
    "class": "The trigger, and towards a class",
    "randoms": "Two random directions",
    "images": "Three test images",
}
# Points a side of W; noisy copies at each of them.
W_SIDE, W_DRAWS = 25, SLICE_POINT_DRAWS


def chosen_planes(scene: SliceScene) -> dict[str, PlaneChoice]:
    """Each run's plane: the one that the state names, by default along its own trigger and a random direction."""
    text = get_state(ExploreState).plane
    if text:
        try:
            return dict.fromkeys(scene.sides, PlaneChoice.from_link(text))
        except InputError as error:
            st.warning(f"{plain(str(error))} The usual plane is shown instead.")
    return dict.fromkeys(scene.sides, PlaneChoice("random"))


def choose_layer(scene: SliceScene) -> str:
    """Let people choose what is drawn over the planes, and return it."""
    state = get_state(ExploreState)
    usual = _usual_layer(scene)
    chosen = st.segmented_control(
        "Show",
        **seed_word_default(state, "layer", LAYERS, state.layer if state.layer in LAYERS else usual),
        on_change=_change_layer,
        help=f"W: measured with {W_DRAWS} noisy copies at each of {W_SIDE} × {W_SIDE} points, dark where the model is "
        "calm. Labels: the predicted class. Probability: of that class, by softmax. Margin: its logit minus the next.",
    )
    return chosen or usual


def _usual_layer(scene: SliceScene) -> str:
    """W where it is there soon, else the labels."""
    costs = [multiplications(side.run.path, scene.data.shape) for side in scene.sides.values()]
    return "W" if max(costs) <= SLICE_SOON else "labels"


def _change_layer() -> None:
    chosen = st.session_state[widget_key(ExploreState, "layer")] or ""
    save_state(replace(get_state(ExploreState), layer=chosen))


def choose_plane(scene: SliceScene, choice: PlaneChoice) -> None:
    """Let people choose the plane, and what there is to say about one of its kind."""
    classes, last = scene.data.classes, len(scene.data.test) - 1
    st.selectbox(
        "Plane",
        list(KINDS),
        format_func=KINDS.__getitem__,
        key=_seed("slice.kind", choice.kind),
        on_change=_change_kind,
        args=(scene,),
        width=300,
    )
    if choice.kind == "class":
        st.selectbox(
            "Class",
            range(len(classes)),
            format_func=lambda label: classes[label],
            key=_seed("slice.label", min(choice.label, len(classes) - 1)),
            on_change=_change_part,
            args=("slice.label", choice, "label"),
            width=200,
            help="The plane goes through the test image of this class that is nearest to this one.",
        )
    elif choice.kind == "images":
        for number, name in enumerate(("Second image", "Third image")):
            st.number_input(
                name,
                0,
                last,
                key=_seed(f"slice.others.{number}", min(choice.others[number], last)),
                on_change=_change_others,
                width=140,
            )
    else:
        st.number_input(
            "Seed",
            0,
            999_999,
            key=_seed("slice.seed", choice.seed),
            on_change=_change_part,
            args=("slice.seed", choice, "seed"),
            width=140,
            help="Names the random directions. They are as long as the trigger's step.",
        )


def _seed(key: str, value: Any) -> str:
    """Give a widget the value that the state has, and return its key."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return key


def _keep_plane(choice: PlaneChoice) -> None:
    save_state(replace(get_state(ExploreState), plane=choice.to_link(), point=""))


def _change_kind(scene: SliceScene) -> None:
    after = [(scene.image + step) % len(scene.data.test) for step in (1, 2)]
    _keep_plane(PlaneChoice(st.session_state["slice.kind"], label=scene.first.target, others=(after[0], after[1])))


def _change_part(key: str, choice: PlaneChoice, name: str) -> None:
    _keep_plane(replace(choice, **{name: int(st.session_state[key])}))


def _change_others() -> None:
    first, second = (int(st.session_state[f"slice.others.{number}"]) for number in (0, 1))
    _keep_plane(PlaneChoice("images", others=(first, second)))


def select_point(point: Point | None) -> None:
    """Keep the point that people select on a map; None selects none."""
    save_state(replace(get_state(ExploreState), point="" if point is None else f"{point[0]:.3f},{point[1]:.3f}"))


def selected_points(planes: Mapping[str, SlicePlane], choice: PlaneChoice) -> dict[str, Point]:
    """The selected point on each run's plane; where none is, the image with the trigger, or the clean one.

    An image that spans the first plane is the one of its kind on every other; any other point has the same coordinates.
    """
    plane = next(iter(planes.values()))
    try:
        x, y = map(float, get_state(ExploreState).point.split(","))
        point = plane.snap(x, y) if np.isfinite([x, y]).all() else None
    except ValueError:
        point = None
    usual = "toward" if choice.along_trigger else "origin"
    point = point or plane.points[usual]
    what = next((name for name, at in plane.points.items() if at == point), None)
    return {name: point if what is None else other.points[what] for name, other in planes.items()}
