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
    choices: Mapping[str, PlaneChoice],
    planes: Mapping[str, SlicePlane],
    images: Mapping[str, SpanningImages],
    selected: Mapping[str, Point],
) -> None:
    """Show the selected point's picture, and what each run makes of it."""
    looks = {
        name: cached.plane_point(
            scene.sides[name].run.path,
            scene.plane_key(name, choices[name]),
            *selected[name],
            scene.sigma,
            scene.draws,
            scene.image,
            plane,
        )
        for name, plane in planes.items()
    }
    what = _where(next(iter(planes.values())), next(iter(images.values())), next(iter(selected.values())))
    st.markdown(f"**Selected point**: {plain(what)}")
    alike = len({scene.plane_key(name, choices[name]) for name in planes}) == 1  # so one picture stands for all
    places = iter(st.columns([1, 2.2, 2.2] if alike else [1, 2.2] * len(looks), gap="medium"))
    for number, (name, look) in enumerate(looks.items()):
        if number == 0 or not alike:
            with next(places):
                _show_picture(look, what)
        with next(places):
            known = scene.known(name, choices[name], planes[name]).get(selected[name])
            _show_look(name, look, known or ImageSmoothness.of(look.smoothness), scene)


def _where(plane: SlicePlane, images: SpanningImages, point: Point) -> str:
    """Say which image a point of a plane is, or where it lies."""
    for name, at in plane.points.items():
        if at == point and name in images.point_names:
            return images.point_names[name]
    return f"{images.axis_names[0]} {point[0]:.2f}, {images.axis_names[1]} {point[1]:.2f}"


def _show_picture(look: PlanePoint, what: str) -> None:
    low, high = float(look.image.min()), float(look.image.max())
    shown = enlarge(to_pixels(look.image[None])[0], 200)
    st.image(shown, width=200, alt=f"The image at the selected point: {what}", output_format="PNG")
    if low < -0.005 or high > 1.005:
        st.caption(
            f"Pixels from {low:.2f} to {high:.2f}, clipped for display only; the model sees the unclipped values."
        )


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
    st.markdown("**From clean to triggered**: class probabilities along the straight line, and slightly beyond")
    for place, (name, side) in zip(st.columns(2, gap="medium"), scene.sides.items(), strict=False):
        ends, key = (clean[0], side.trigger.apply(clean)[0]), side.trigger.to_link()
        try:
            line = cached.trigger_line(side.run.path, key, scene.data.fingerprint, scene.image, *ends)
        except InputError as error:
            st.caption(plain(str(error)))
            return
        words = line_words(line, scene.data.classes)
        title = f"From clean to triggered: class probabilities, {name}"
        about = {"run": side.run.name, "test image": scene.image}
        with place:
            figure = line_figure(line, scene.data.classes)
            chart(figure, f"{name}: {words}", key=f"line.{name}", title=title, about=about)
            st.caption(plain(f"{name}: {words}"))
