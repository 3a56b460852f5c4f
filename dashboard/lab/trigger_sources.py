"""The sources of a trigger: draw it, bring a picture, write a word, choose a formula, take a saved one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import streamlit as st

from core.attacks.triggers import AnyTrigger, Formula, formulas, make_preset, preset_names
from core.attacks.triggers.blends import BLENDS, Blend
from core.attacks.triggers.canvases import LONGEST_TEXT, place_picture, write_text
from core.attacks.triggers.pictures import read_picture, scale_to_fit
from core.datasets import Dataset
from core.errors import InputError
from core.figures.pictures import enlarge, to_pixels
from dashboard.components.pixel_editor import Drawing
from dashboard.lab.canvas import current_formula, current_trigger, name_in_link, set_formula
from dashboard.markdown import show_error
from dashboard.parts.html import picture
from dashboard.settings_form import settings_form
from dashboard.state import LabState, seed_default

TRIGGER_SOURCES = {"draw": "Draw", "picture": "Picture", "text": "Text", "formula": "Formula", "saved": "Saved"}
# Larger pictures gain nothing: images have at most a few hundred pixels a side.
KEPT_SIDE = 512


def choose_trigger_source(state: LabState) -> LabState:
    """Show the sources, one of which is open."""
    formula = current_formula()
    start = state.trigger_source if state.trigger_source in TRIGGER_SOURCES else LabState.trigger_source
    if isinstance(formula, Formula) and start != "saved":
        start = "formula"
    elif formula is not None:  # no sliders make it, but it can be saved
        start = "saved"
    elif start == "formula":  # a blend is a drawing by now
        start = "draw"
    source = st.segmented_control(
        "Way to a trigger",
        list(TRIGGER_SOURCES),
        format_func=lambda source: TRIGGER_SOURCES[source],
        **seed_default(state, "trigger_source", start),
        required=True,
        wrap=True,
        label_visibility="collapsed",
        on_change=set_formula,
        args=(None,),
    )
    return replace(state, trigger_source=source or LabState.trigger_source)


# --- Draw ------------------------------------------------------------------------------------------------------------


def show_presets(data: Dataset, drawing: Drawing) -> None:
    """Show the presets, the one that is drawn marked."""
    titles = {name: title for name, title in preset_names().items() if name != "blend"}  # that is among the formulas
    name = name_in_link(current_trigger(drawing), data)
    st.session_state["preset"] = name if name in titles else None
    st.pills(
        "Presets",
        list(titles),
        format_func=lambda name: titles[name],
        key="preset",
        on_change=use_preset,
        args=(drawing, data),
        label_visibility="collapsed",
    )


def use_preset(drawing: Drawing, data: Dataset) -> None:
    """Put the chosen preset on the canvas; choosing it once more leaves it there."""
    name = st.session_state["preset"]
    if name is not None:
        drawing.replace(make_preset(name, data.shape).canvas(data.shape))


# --- Picture ---------------------------------------------------------------------------------------------------------


def show_picture(data: Dataset, drawing: Drawing) -> None:
    """Take a picture file, and let people crop, scale and place it."""
    file = st.file_uploader(
        "PNG, JPEG, WebP or BMP; or press Ctrl V on the canvas to paste a picture",
        key="picture.file",
        max_upload_size=20,
    )
    if file is not None and st.session_state.get("picture.taken") != file.file_id:
        st.session_state["picture.taken"] = file.file_id
        take_picture(file.getvalue(), file.name)
    if problem := st.session_state.get("picture.problem"):
        show_error(problem)
    rgba = st.session_state.get("picture.rgba")
    if rgba is None:
        return
    longest, start = max(data.shape[1:]), max(2, max(data.shape[1:]) // 2)
    left, right = st.columns(2)
    across = left.slider("Crop left and right", 0, 100, (0, 100), key="picture.across", format="%g%%")
    down = right.slider("Crop top and bottom", 0, 100, (0, 100), key="picture.down", format="%g%%")
    side = left.slider("Size", 1, longest, start, key="picture.side", format="%g pixels")
    with right:
        middle = choose_place("picture")
    crop = across[0] / 100, down[0] / 100, across[1] / 100, down[1] / 100
    make = lambda: place_picture(rgba, data.shape, crop=crop, side=side, middle=middle)  # noqa: E731
    lay_on_canvas(drawing, ("picture", st.session_state["picture.number"], crop, side, middle), make)


def take_picture(content: bytes, name: str) -> None:
    """Decode a picture file for cropping and placing, or remember the sentence that says why it cannot be."""
    try:
        rgba = scale_to_fit(read_picture(content, name), KEPT_SIDE, KEPT_SIDE)
    except InputError as error:
        st.session_state["picture.problem"] = str(error)
        return
    st.session_state["picture.problem"] = None
    st.session_state["picture.rgba"] = rgba
    st.session_state["picture.number"] = st.session_state.get("picture.number", 0) + 1


def choose_place(what: str) -> tuple[float, float]:
    """Show where something lies on the canvas: from its upper left corner (0, 0) to its lower right (1, 1)."""
    left, right = st.columns(2)
    across = left.slider("Across", 0, 100, 100, key=f"{what}.x", format="%g%%")
    down = right.slider("Down", 0, 100, 100, key=f"{what}.y", format="%g%%")
    return across / 100, down / 100


def lay_on_canvas(drawing: Drawing, what: tuple[object, ...], make: Callable[[], np.ndarray]) -> None:
    """Put something made by sliders on the canvas, once for each setting: strokes drawn on it since then stay."""
    if st.session_state.get("laid") == (what, drawing.rgba.shape):
        return
    try:
        canvas = make()
    except InputError as error:
        show_error(error)
        return
    st.session_state["laid"] = what, drawing.rgba.shape
    drawing.replace(canvas)


# --- Text ------------------------------------------------------------------------------------------------------------


def show_text(data: Dataset, drawing: Drawing) -> None:
    """Write a word on the canvas."""
    height = data.shape[1]
    left, right = st.columns([3, 1])
    text = left.text_input("Text", key="text.words", max_chars=LONGEST_TEXT, placeholder="A word or two")
    if data.shape[0] == 1:
        grey = right.slider("Grey", 0, 255, 255, key="text.grey")
        colour = (grey, grey, grey)
    else:
        chosen = right.color_picker("Colour", "#ffd60a", key="text.colour")
        colour = int(chosen[1:3], 16), int(chosen[3:5], 16), int(chosen[5:7], 16)
    left, right = st.columns(2)
    size = left.slider("Height", 4, max(5, 2 * height), max(6, height // 3), key="text.size", format="%g pixels")
    opacity = left.slider("Opacity", 1, 100, 100, key="text.opacity", format="%g%%")
    with right:
        middle = choose_place("text")
    if not text.strip():
        return
    make = lambda: write_text(  # noqa: E731
        text, data.shape, size=size, colour=colour, opacity=opacity / 100, middle=middle
    )
    lay_on_canvas(drawing, ("text", text, colour, size, opacity, middle), make)


# --- Formula ---------------------------------------------------------------------------------------------------------


def show_formula(data: Dataset, drawing: Drawing) -> None:
    """Choose a formula or a blend and its few numbers. Blends become a drawing; formulas stay formulas."""
    current = current_formula()
    kinds: dict[str, type[Formula | Blend]] = {**formulas(), **BLENDS}
    if "formula.kind" not in st.session_state:
        st.session_state["formula.kind"] = current.kind if isinstance(current, Formula) else next(iter(kinds))
    name = st.segmented_control(
        "Formula",
        list(kinds),
        default=st.session_state["formula.kind"],
        format_func=lambda name: kinds[name].title,
        key="formula.kind",
        required=True,
        wrap=True,
        label_visibility="collapsed",
    )
    kind = kinds[name]
    st.caption(kind.sentence)
    try:
        if issubclass(kind, Formula):
            start = current if isinstance(current, kind) else kind.suited_to(data.shape)
            formula = settings_form(
                kind, f"formula.{name}", start, fields=kind.settings(), largest=kind.largest(data.shape)
            )
            formula.check_fits(data.shape)
            set_formula(formula)
        else:
            blend = settings_form(kind, f"formula.{name}", largest=kind.largest(data))
            set_formula(None)
            lay_on_canvas(drawing, (name, data.fingerprint, blend), lambda: blend.canvas(data))
    except InputError as error:
        show_error(error)


def show_formula_on_sample(trigger: AnyTrigger, sample: np.ndarray, side: int) -> None:
    """Show a sample image, uint8 [C, H, W], without and with a formula: there is nothing to draw on."""
    left, right = st.columns(2)
    for place, image, words in (
        (left, sample[None], "A sample image without the trigger"),
        (right, trigger.stamp(sample[None]), "The same image with the trigger"),
    ):
        picture(place, enlarge(to_pixels(image)[0], side), words)
        place.caption(words)
