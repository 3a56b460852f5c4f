"""The trigger being prepared: drawn on the canvas, or a formula; from a link, and back into one."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.attacks.triggers import AnyTrigger, Trigger, from_link, make_preset, preset_names
from core.datasets import Dataset
from core.errors import InputError
from dashboard.components.pixel_editor import Drawing
from dashboard.markdown import plain
from dashboard.state import LabState

_DRAWING, _FORMULA, _LINK = "drawing", "formula", "trigger.link"


def open_trigger(state: LabState, data: Dataset) -> Drawing:
    """Return this session's drawing, at the size of the data set's images; begun anew where a link brings a trigger."""
    drawing: Drawing | None = st.session_state.get(_DRAWING)
    if drawing is None or drawing.rgba.shape[:2] != data.shape[1:] or st.session_state.get(_LINK) != state.trigger:
        trigger = first_trigger(state.trigger, data)
        drawn = trigger if isinstance(trigger, Trigger) else make_preset(LabState.trigger, data.shape)
        set_formula(trigger)
        forget_formula_controls()
        canvas = drawn.canvas(data.shape)
        if drawing is None:
            drawing = Drawing(canvas)
        elif not np.array_equal(drawing.rgba, canvas):
            drawing.replace(canvas)
        st.session_state[_DRAWING] = drawing
    return drawing


def use_preset(name: str, shape: tuple[int, ...]) -> None:
    """Put a preset on the canvas, from a callback; what was drawn can be brought back by undo."""
    drawing: Drawing | None = st.session_state.get(_DRAWING)
    if drawing is not None:
        drawing.replace(make_preset(name, shape).canvas(shape))
        set_formula(None)


def set_formula(trigger: AnyTrigger | None) -> None:
    """Use a formula; with a picture or None, what is drawn."""
    st.session_state[_FORMULA] = None if isinstance(trigger, Trigger) else trigger


def first_trigger(text: str, data: Dataset) -> AnyTrigger:
    """Return a preset or a link's trigger; where it cannot be used, say why and return the default preset."""
    try:
        trigger = make_preset(text, data.shape) if text in preset_names() else from_link(text)
        trigger.check_fits(data.shape)
        return trigger
    except InputError as error:
        if text:
            st.toast(plain(str(error)), icon="⚠️")
        return make_preset(LabState.trigger, data.shape)


def current_formula() -> AnyTrigger | None:
    """Return the formula in use; None where it is the drawing that counts."""
    return st.session_state.get(_FORMULA)


def current_trigger(drawing: Drawing) -> AnyTrigger | None:
    """Return the trigger that would be used now, or None while the canvas is empty."""
    formula = current_formula()
    if formula is not None:
        return formula
    return Trigger.from_canvas(drawing.rgba) if drawing.rgba[..., 3].any() else None


def name_in_link(trigger: AnyTrigger | None, data: Dataset) -> str:
    """Return the trigger as a link carries it: a preset's name if it is one, else all of it."""
    if trigger is None:
        name = ""
    else:
        name = next((name for name in preset_names() if make_preset(name, data.shape) == trigger), trigger.to_link())
    st.session_state[_LINK] = name
    return name


def forget_formula_controls() -> None:
    """Let the sliders of the formulas start from the one in use."""
    for key in [key for key in st.session_state if str(key).startswith("formula.")]:
        del st.session_state[key]
