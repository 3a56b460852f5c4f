"""The decision boundary around one image: both runs' slices on identical planes, one selection, what lies under it.

A page calls `show_slice_panel(state, data, run, other, trigger, target, image)` and goes on with the state that comes
back: its fields `layer`, `plane` and `point` belong to this panel. The page owns everything else (`sigma` and `draws`
are read).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from core.datasets import Dataset
from core.datasets.dataset import to_unit
from core.errors import InputError
from core.figures.line import line_figure, line_words
from core.figures.palette import CLASSES, OTHER, class_colour
from core.figures.pictures import enlarge, to_pixels
from core.figures.slice_layers import SliceLayer, margin_layer, probability_layer, smoothness_layer
from core.instruments.budgets import SLICE_POINT_DRAWS
from core.instruments.intervals import entropy_interval
from core.instruments.slices.choice import PlaneChoice, SpanningImages, spanning_images
from core.runs.measured.w import Measurement
from core.runs.run import DoneRun
from dashboard import cached
from dashboard.components.slice_view import Point, slice_view
from dashboard.markdown import plain, show_error
from dashboard.parts.html import class_chip, figure_ink, w_bar
from dashboard.parts.titles import run_title
from dashboard.progressive import is_moving, progress_line
from dashboard.state import ExploreState, get_state, save_state, seed_default, set_state, widget_key

if TYPE_CHECKING:
    from core.attacks.triggers import AnyTrigger
    from core.instruments.slices.plane import SlicePlane
    from core.instruments.slices.refine import PlanePoint
    from core.instruments.smoothness import Smoothness
    from dashboard.progressive import Progressive

LAYERS = {"labels": "Labels", "probability": "Probability", "margin": "Margin", "W": "W"}
KINDS = {
    "class": "The trigger, and towards a class",
    "random": "The trigger, and a random direction",
    "randoms": "Two random directions",
    "images": "Three test images",
}
# Points a side of the labels, of probability and margin, and of W; noisy copies at each point of W.
LABELS_SIDE, CONFIDENCE_SIDE, W_SIDE, W_DRAWS = 129, 33, 25, SLICE_POINT_DRAWS
# How long a run of the panel makes better maps before it draws them.
BREATH = 0.35
CLASSES_SHOWN = 4


@dataclass(frozen=True)
class ImageSmoothness:
    """W of one image with its interval, in units of log K, and the noisy copies it was measured with."""

    w: float
    low: float
    high: float
    draws: int

    @classmethod
    def of(cls, measured: Smoothness, number: int = 0) -> ImageSmoothness:
        """Return that of one of the images measured."""
        votes = measured.votes[[number]]
        low, high = entropy_interval(votes)
        return cls(float(measured.w[number]), float(low[0]), float(high[0]), int(votes.sum()))


@dataclass(frozen=True, eq=False)
class _Scene:
    """What the panel is about: both runs, the attack, the image and the noise; and what was measured on the image."""

    data: Dataset
    runs: Mapping[str, DoneRun]
    trigger: AnyTrigger
    target: int
    image: int
    sigma: float
    draws: int
    found: Mapping[str, Measurement]

    def known(self, name: str, choice: PlaneChoice, plane: SlicePlane) -> dict[Point, ImageSmoothness]:
        """Return W of the image without and with the trigger, where they lie: the page knows it, and says it once."""
        measured = self.found.get(name)
        if measured is None or self.image not in measured.chosen:
            return {}
        number = int(np.flatnonzero(measured.chosen == self.image)[0])
        sides = {"origin": measured.clean} | ({"toward": measured.triggered} if choice.along_trigger else {})
        return {plane.points[point]: ImageSmoothness.of(side, number) for point, side in sides.items()}

    def plane_key(self, choice: PlaneChoice) -> str:
        """Return what names a plane: whatever decides the images that span it."""
        return "|".join([self.data.fingerprint, self.trigger.to_link(), str(self.image), choice.to_link()])


def show_slice_panel(
    state: ExploreState,
    data: Dataset,
    run: DoneRun,
    other: DoneRun | None,
    trigger: AnyTrigger,
    target: int,
    image: int,
    found: Mapping[str, Measurement] = MappingProxyType({}),
) -> ExploreState:
    """Show the slices of one test image under one attack, for a run and for the one beside it.

    Parameters
    ----------
    state
        What the page shows; `sigma`, `draws`, `layer`, `plane` and `point` are read.
    data
        The data set whose test images these are.
    run, other
        The run and the one beside it, if any: on the same plane, with the same selection.
    trigger, target
        The attack that is looked at.
    image
        Number of the test image.
    found
        What the page has measured on it under each run, by "this run" and "other run".

    Returns
    -------
    ExploreState
        The state with what people chose here, for the link. A choice reruns this panel only, which keeps it itself.
    """
    runs = {"this run": run} | ({"other run": other} if other is not None else {})
    scene = _Scene(data, runs, trigger, target, image, state.sigma, state.draws, found)
    kept = get_state(ExploreState)
    settled = replace(kept, layer=state.layer, plane=state.plane, point=_point_of(state, scene))
    if settled != kept:
        set_state(settled)
    _panel(scene)
    now = get_state(ExploreState)
    return replace(state, layer=now.layer, plane=now.plane, point=now.point)


def _point_of(state: ExploreState, scene: _Scene) -> str:
    """The selected point, unless it was selected on the plane through another image."""
    key = scene.plane_key(PlaneChoice("randoms"))
    before = st.session_state.get("slice.about", key)
    st.session_state["slice.about"] = key
    return state.point if before == key else ""


@st.fragment
def _panel(scene: _Scene) -> None:
    choice = _choice(scene)
    try:
        with st.container(horizontal=True, vertical_alignment="bottom", key="slice controls"):
            layer_name = _choose_layer()
            _choose_plane(scene, choice)
        images = spanning_images(choice, scene.data, scene.image, scene.trigger)
    except InputError as error:
        show_error(error)
        return
    results = _planes(scene, choice, images)
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
    if not unfinished:
        layers, unfinished, lines = _layers(scene, choice, planes, layer_name)
    selected = _selected(planes, choice)
    for place, (name, plane) in zip(st.columns(2, gap="medium"), planes.items(), strict=False):
        with place:
            st.caption(f"**{name}**: {plain(run_title(scene.runs[name]))}")
            if name in lines:
                lines[name]()
            slice_view(
                plane,
                scene.data.classes,
                colours=CLASSES,
                point_names=images.point_names,
                axis_names=images.axis_names,
                sigma=scene.sigma,
                layer=layers.get(name),
                triggered=choice.along_trigger,
                selected=selected,
                height_px=400,
                growing=unfinished.get(name),
                group="slices",
                key=f"slice.{name}",
                on_select=_select,
            )
    _show_point(scene, choice, planes, images, selected)
    _show_walks(scene)


# --- What is chosen --------------------------------------------------------------------------------------------------


def _choice(scene: _Scene) -> PlaneChoice:
    """The plane that the state names, by default towards the target class."""
    text = get_state(ExploreState).plane
    if text:
        try:
            return PlaneChoice.from_link(text)
        except InputError as error:
            st.warning(f"{plain(str(error))} The plane towards the target class is shown instead.")
    return PlaneChoice("class", label=scene.target)


def _choose_layer() -> str:
    state = get_state(ExploreState)
    start = state.layer if state.layer in LAYERS else "labels"
    chosen = st.segmented_control(
        "Show",
        list(LAYERS),
        format_func=LAYERS.__getitem__,
        **seed_default(state, "layer", start),
        on_change=_change_layer,
        help="Labels: the predicted class. Probability: of that class, by softmax. Margin: its logit minus the next. "
        f"W: measured with {W_DRAWS} noisy copies at each of {W_SIDE} × {W_SIDE} points, which takes a while.",
    )
    return chosen or "labels"


def _change_layer() -> None:
    chosen = st.session_state[widget_key(ExploreState, "layer")] or "labels"
    save_state(replace(get_state(ExploreState), layer=chosen))


def _choose_plane(scene: _Scene, choice: PlaneChoice) -> None:
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


def _change_kind(scene: _Scene) -> None:
    after = [(scene.image + step) % len(scene.data.test) for step in (1, 2)]
    _keep_plane(PlaneChoice(st.session_state["slice.kind"], label=scene.target, others=(after[0], after[1])))


def _change_part(key: str, choice: PlaneChoice, name: str) -> None:
    _keep_plane(replace(choice, **{name: int(st.session_state[key])}))


def _change_others() -> None:
    first, second = (int(st.session_state[f"slice.others.{number}"]) for number in (0, 1))
    _keep_plane(PlaneChoice("images", others=(first, second)))


def _select(point: Point | None) -> None:
    save_state(replace(get_state(ExploreState), point="" if point is None else f"{point[0]:.3f},{point[1]:.3f}"))


def _selected(planes: Mapping[str, SlicePlane], choice: PlaneChoice) -> Point:
    """The selected point; where none is, the image with the trigger, or the clean one."""
    plane = next(iter(planes.values()))
    try:
        x, y = map(float, get_state(ExploreState).point.split(","))
        point = plane.snap(x, y) if np.isfinite([x, y]).all() else None
    except ValueError:
        point = None
    return point or plane.points["toward" if choice.along_trigger else "origin"]


# --- The maps --------------------------------------------------------------------------------------------------------


def _planes(scene: _Scene, choice: PlaneChoice, images: SpanningImages) -> dict[str, Progressive[SlicePlane]]:
    """The runs' slices: a glimpse that is drawn at once, and finer ones when the browser has drawn that."""
    key = scene.plane_key(choice)
    results = {name: cached.plane(run.path, key, LABELS_SIDE, images) for name, run in scene.runs.items()}
    _advance(results)
    return results


def _advance(results: Mapping[str, Progressive]) -> None:
    """Make better maps, one beside the other: the browser asks for this as soon as it has drawn the last ones."""
    for name, result in results.items():
        if is_moving(f"slice.{name}", result):
            result.advance(BREATH / len(results))


def _layers(
    scene: _Scene, choice: PlaneChoice, planes: Mapping[str, SlicePlane], layer: str
) -> tuple[dict[str, SliceLayer], dict[str, float], dict[str, Callable[[], None]]]:
    """The layer over each run's slice, the share that is there of those that are moving, and lines to stop them."""
    key = scene.plane_key(choice)
    paths = {name: scene.runs[name].path for name in planes}
    if layer == "labels":
        return {}, {}, {}
    if layer == "W":
        results = {
            name: cached.plane_smoothness(paths[name], key, W_SIDE, scene.sigma, W_DRAWS, plane)
            for name, plane in planes.items()
        }
        _advance(results)
        measured = {name: result.newest for name, result in results.items() if result.newest is not None}
        shares = {name: smoothness.share_measured for name, smoothness in measured.items()}
        waiting = {name for name, share in shares.items() if share < 1 and not results[name].done}
        moving = {name: shares[name] for name in waiting if is_moving(f"slice.{name}", results[name])}
        lines = {
            name: partial(progress_line, f"slice.{name}", results[name], shares[name], "Measuring W")
            for name in waiting
        }
        known = {
            name: {point: image.w for point, image in scene.known(name, choice, plane).items()}
            for name, plane in planes.items()
        }
        maps = {name: smoothness_layer(smoothness.with_known(known[name])) for name, smoothness in measured.items()}
        return maps, moving, lines
    sure = {name: cached.plane_confidence(paths[name], key, CONFIDENCE_SIDE, plane) for name, plane in planes.items()}
    if layer == "probability":
        return {name: probability_layer(confidence) for name, confidence in sure.items()}, {}, {}
    margins = list(sure.values())
    return {name: margin_layer(confidence, margins) for name, confidence in sure.items()}, {}, {}


# --- Below the maps --------------------------------------------------------------------------------------------------


def _show_point(
    scene: _Scene,
    choice: PlaneChoice,
    planes: Mapping[str, SlicePlane],
    images: SpanningImages,
    selected: Point,
) -> None:
    """Show the selected point's picture, and what each run makes of it."""
    key = scene.plane_key(choice)
    looks = {
        name: cached.plane_point(scene.runs[name].path, key, *selected, scene.sigma, scene.draws, scene.image, plane)
        for name, plane in planes.items()
    }
    plane = next(iter(planes.values()))
    names = [
        images.point_names[point]
        for point, at in plane.points.items()
        if at == selected and point in images.point_names
    ]
    what = names[0] if names else f"{images.axis_names[0]} {selected[0]:.2f}, {images.axis_names[1]} {selected[1]:.2f}"
    st.markdown(f"**Selected point**: {plain(what)}")
    places = st.columns([1, 2.2, 2.2], gap="medium")
    pixels = next(iter(looks.values())).image
    low, high = float(pixels.min()), float(pixels.max())
    with places[0]:
        shown = enlarge(to_pixels(pixels[None])[0], 200)
        st.image(shown, width=200, alt=f"The image at the selected point: {what}", output_format="PNG")
        if low < -0.005 or high > 1.005:
            st.caption(
                f"Pixels from {low:.2f} to {high:.2f}, clipped for display only; the model sees the unclipped values."
            )
    for place, (name, look) in zip(places[1:], looks.items(), strict=False):
        with place:
            known = scene.known(name, choice, planes[name]).get(selected)
            _show_look(name, look, known or ImageSmoothness.of(look.smoothness), scene)


def _show_look(name: str, look: PlanePoint, smoothness: ImageSmoothness, scene: _Scene) -> None:
    classes, w, low, high = scene.data.classes, smoothness.w, smoothness.low, smoothness.high
    bars = "".join(
        _share_bar(classes[label], float(look.probability[label]), class_colour(int(label)))
        for label in np.argsort(-look.probability, kind="stable")[:CLASSES_SHOWN]
    )
    st.html(
        f'<div class="ts-small">{escape(name)}</div>{class_chip(classes[look.label], look.label)}'
        f"{bars}{w_bar('W', w, low, high, OTHER)}"
        f'<div class="ts-small">95% interval {low:.2f} to {high:.2f}, {smoothness.draws} draws, '
        f"σ = {scene.sigma:g}</div>"
    )


def _share_bar(name: str, share: float, colour: str) -> str:
    return (
        f'<div class="ts-small" style="display:flex;justify-content:space-between"><span>{escape(name)}</span>'
        f"<span>{share:.1%}</span></div>"
        f'<div class="ts-bar"><b style="left:0;width:{100 * share:.1f}%;background:{colour}"></b></div>'
    )


def _show_walks(scene: _Scene) -> None:
    """Show what each run predicts on the way from the clean image to the one with the trigger."""
    clean = to_unit(scene.data.test.images[[scene.image]])
    ends = clean[0], scene.trigger.apply(clean)[0]
    st.markdown("**From clean to triggered**: class probabilities along the straight line, and slightly beyond")
    for place, (name, one) in zip(st.columns(2, gap="medium"), scene.runs.items(), strict=False):
        try:
            line = cached.trigger_line(one.path, scene.trigger.to_link(), scene.data.fingerprint, scene.image, *ends)
        except InputError as error:
            st.caption(plain(str(error)))
            return
        words = line_words(line, scene.data.classes)
        figure = line_figure(line, scene.data.classes)
        figure.update_layout(font_color=figure_ink())
        with place:
            st.plotly_chart(
                figure, theme=None, key=f"line.{name}", config={"displayModeBar": False}, alt=f"{name}: {words}"
            )
            st.caption(plain(f"{name}: {words}"))
