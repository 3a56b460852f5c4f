"""The slices of a comparison: the same test image under each attack, its own trigger, all on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.datasets import Dataset
from core.errors import InputError
from core.figures.palette import CLASSES
from core.figures.slice_layers import SliceLayer, smoothness_layer
from core.glossary import explain
from core.instruments.budgets import SLICE_POINT_DRAWS
from core.instruments.slices.choice import PlaneChoice, SpanningImages, spanning_images
from core.runs.measured.compared import Compared, images_in_common
from dashboard import cached
from dashboard.compare.table import LABELS
from dashboard.components.slice_view import slice_view
from dashboard.markdown import plain, show_error
from dashboard.progressive import Progressive
from dashboard.state import CompareState, ExploreState, get_state, save_state, seed_word_default, to_query, widget_key

if TYPE_CHECKING:
    from core.instruments.slices.plane import SlicePlane

LAYERS = {"labels": "Labels", "W": "W"}
LABELS_SIDE, W_SIDE = 97, 21
BREATH = 0.35


@st.fragment
def show_slices(found: Sequence[Compared], datasets: Mapping[str, Dataset]) -> None:
    """Show the decision boundary around one test image under each attack."""
    st.subheader("Decision boundary around the same image", help=explain("slice"), anchor=False)
    state = get_state(CompareState)
    try:
        images = test_images(found, datasets, state.image)
        spans = [_span(one, datasets[one.run.spec.dataset], image) for one, image in zip(found, images, strict=True)]
    except InputError as error:
        show_error(error)
        return
    window = tuple(point for span in spans for point in _points(span))
    keys = [f"compare|{one.run.spec.fingerprint}|{one.attack.hash}|{at}" for one, at in zip(found, images, strict=True)]
    planes = [
        cached.plane(one.run.path, key, LABELS_SIDE, span, window)
        for one, key, span in zip(found, keys, spans, strict=True)
    ]
    moving = _advance(planes)
    layers: list[SliceLayer | None] = [None] * len(found)
    finished = [result.newest for result in planes if result.done and result.newest is not None]
    if state.layer == "W" and len(finished) == len(found):
        layers, moving = _w_layers(found, keys, finished)
    head, *places = st.columns([LABELS, *[1] * len(found)], gap="small")
    with head:
        show_controls()
        st.caption("All on one scale, in L2. To the right: along the trigger. Up: towards the target class.")
    for number, (place, one, image) in enumerate(zip(places, found, images, strict=True)):
        data, plane = datasets[one.run.spec.dataset], planes[number].newest
        with place:
            st.markdown(f"**{plain(one.name)}**")
            st.caption(f"Test image {image}, {plain(data.classes[int(data.test.labels[image])])}")
            if planes[number].problem:
                show_error(planes[number].problem)
            elif plane is not None:
                slice_view(
                    plane,
                    data.classes,
                    colours=CLASSES,
                    point_names=spans[number].point_names,
                    axis_names=spans[number].axis_names,
                    sigma=one.sigma,
                    layer=layers[number],
                    height_px=320,
                    compact=True,
                    growing=moving[number],
                    group="compared",
                    key=f"compare.slice.{number}",
                )
            query = to_query(ExploreState(run=one.run.name, sigma=one.sigma, image=image))
            st.page_link("explore/page.py", label="Explore →", query_params=query)


def show_controls() -> None:
    """Let people choose what the slices show, and go to the next image."""
    st.segmented_control(
        "Show",
        **seed_word_default(get_state(CompareState), "layer", LAYERS),
        on_change=_change_layer,
        required=True,
        help=f"W: measured with {SLICE_POINT_DRAWS} noisy copies at each of {W_SIDE} × {W_SIDE} points, which takes "
        "some seconds for each attack.",
    )
    st.button("Next image", key="compare.next", on_click=_next_image, icon=":material/skip_next:")


def _change_layer() -> None:
    chosen = st.session_state[widget_key(CompareState, "layer")] or CompareState.layer
    save_state(replace(get_state(CompareState), layer=chosen))


def _next_image() -> None:
    state = get_state(CompareState)
    save_state(replace(state, image=state.image + 1))


def test_images(found: Sequence[Compared], datasets: Mapping[str, Dataset], number: int) -> list[int]:
    """Return the test image of each attack: one that all of its data set's attacks are about, else one of its own."""
    images = []
    for one in found:
        alike = [other.attack for other in found if other.run.spec.dataset == one.run.spec.dataset]
        data = datasets[one.run.spec.dataset]
        shared = images_in_common(alike, data)
        places = shared if len(shared) else images_in_common([one.attack], data)
        images.append(int(places[number % len(places)]))
    return images


def _span(one: Compared, data: Dataset, image: int) -> SpanningImages:
    goal = int(one.attack.goal(data.test.labels.numpy()[[image]], len(data.classes))[0])
    trigger = one.attack.trigger_on(image, data.shape)
    return spanning_images(PlaneChoice("class", label=goal), data, image, trigger)


def _points(images: SpanningImages) -> list[tuple[float, float]]:
    """Return where the three images lie on their plane."""
    from core.instruments.slices.refine import spanned

    return list(spanned(images.origin, images.toward, images.across, 9).points.values())


def _advance(results: Sequence[Progressive]) -> list[float | None]:
    """Make better maps, a little of each; return the share that is there of those that are not finished."""
    for result in results:
        if not result.done:
            result.advance(BREATH / len(results))
    return [
        None if result.done or result.newest is None else float(np.mean(result.newest.evaluated)) for result in results
    ]


def _w_layers(
    found: Sequence[Compared], keys: Sequence[str], planes: Sequence[SlicePlane]
) -> tuple[list[SliceLayer | None], list[float | None]]:
    """Return W over each slice, as far as it is measured, in colours of one scale, and how far it is."""
    results = [
        cached.plane_smoothness(one.run.path, key, W_SIDE, one.sigma, SLICE_POINT_DRAWS, plane)
        for one, key, plane in zip(found, keys, planes, strict=True)
    ]
    moving = _advance(results)
    maps = [result.newest for result in results]
    known = [one for one in maps if one is not None]
    return [None if one is None else smoothness_layer(one, known) for one in maps], moving
