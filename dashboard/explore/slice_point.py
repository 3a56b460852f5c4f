"""Below the slices: the selected point, and the way from the clean image to the one with the trigger."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.datasets.dataset import to_unit
from core.errors import InputError
from core.figures.line import line_figure, line_words
from core.figures.palette import OTHER, class_colour
from core.figures.pictures import enlarge, to_pixels
from core.instruments.slices.choice import PlaneChoice, SpanningImages
from dashboard import cached
from dashboard.components.slice_view import Point
from dashboard.explore.slice_scene import ImageSmoothness, SliceScene
from dashboard.markdown import plain
from dashboard.parts.chart import chart
from dashboard.parts.html import class_chip, w_bar

if TYPE_CHECKING:
    from core.instruments.slices.plane import SlicePlane
    from core.instruments.slices.refine import PlanePoint

CLASSES_SHOWN = 4


def show_point(
    scene: SliceScene,
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


def _show_look(name: str, look: PlanePoint, smoothness: ImageSmoothness, scene: SliceScene) -> None:
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


def show_walks(scene: SliceScene) -> None:
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
        title = f"From clean to triggered: class probabilities, {name}"
        about = {"run": one.name, "test image": scene.image}
        with place:
            figure = line_figure(line, scene.data.classes)
            chart(figure, f"{name}: {words}", key=f"line.{name}", title=title, about=about)
            st.caption(plain(f"{name}: {words}"))
