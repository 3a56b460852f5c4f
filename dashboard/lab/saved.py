"""The library of saved triggers: keep the one on the table, take one back, delete with undo."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.attacks.triggers import AnyTrigger, Trigger
from core.attacks.triggers.library import LONGEST_NAME, SavedTrigger, TriggerLibrary
from core.datasets import Dataset
from core.errors import InputError
from core.figures.pictures import enlarge, to_pixels
from dashboard import cached
from dashboard.components.pixel_editor import Drawing
from dashboard.lab.canvas import set_formula
from dashboard.markdown import plain, show_error
from dashboard.parts.html import picture

COLUMNS = 4
_PROBLEM, _DELETED = "saved.problem", "saved.deleted"


def library() -> TriggerLibrary:
    """Return the library of everyone who uses these runs."""
    return TriggerLibrary(cached.jobs().root / ".triggers")


def show_saved(data: Dataset, drawing: Drawing, trigger: AnyTrigger | None, sample: np.ndarray) -> None:
    """Show what is saved, on a sample image uint8 [C, H, W], and keep what is on the table."""
    name, button = st.columns([3, 1], vertical_alignment="bottom")
    name.text_input("Keep this trigger as", key="saved.name", max_chars=LONGEST_NAME, placeholder="Its name")
    button.button("Save", key="saved.save", on_click=save, args=(trigger,), disabled=trigger is None, width="stretch")
    if problem := st.session_state.pop(_PROBLEM, None):
        show_error(problem)
    if deleted := st.session_state.get(_DELETED):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{plain(deleted)} was deleted.", width="content")
            st.button("Undo", key="saved.undo", type="tertiary", on_click=undo, args=(deleted,))
    saved = library().saved()
    if not saved:
        st.caption("Nothing is saved yet. What you save can be used with other data sets and by others here.")
        return
    with st.container(height=210 if len(saved) > COLUMNS else "content", border=False):
        places = [place for _ in range(0, len(saved), COLUMNS) for place in st.columns(COLUMNS)]
        for place, one in zip(places, saved, strict=False):
            with place:
                show_one(one, data, drawing, sample)


def show_one(one: SavedTrigger, data: Dataset, drawing: Drawing, sample: np.ndarray) -> None:
    """Show a saved trigger on a sample image, and what can be done with it."""
    try:
        one.trigger.check_fits(data.shape)
        stamped, misfit = one.trigger.stamp(sample[None]), ""
    except InputError as error:
        stamped, misfit = sample[None], str(error)
    if not misfit:
        picture(st.container(), enlarge(to_pixels(stamped)[0], 96), f"A sample image with {one.name} on it")
    else:
        st.caption("Does not fit these images", help=plain(misfit))
    use_it, delete_it = st.columns([3, 1], gap=None)
    use_it.button(
        plain(one.name),
        key=f"saved.use.{one.name}",
        on_click=use,
        args=(one, data, drawing),
        disabled=bool(misfit),
        type="tertiary",
    )
    delete_it.button(
        "✕",
        key=f"saved.delete.{one.name}",
        on_click=delete,
        args=(one.name,),
        type="tertiary",
        help=f"Delete {plain(one.name)}",
    )


def save(trigger: AnyTrigger) -> None:
    """Keep a trigger under the name in the box."""
    try:
        library().save(trigger, st.session_state["saved.name"])
        st.session_state["saved.name"] = ""
    except InputError as error:
        st.session_state[_PROBLEM] = str(error)


def use(one: SavedTrigger, data: Dataset, drawing: Drawing) -> None:
    """Put a saved trigger on the table."""
    set_formula(one.trigger)
    if isinstance(one.trigger, Trigger):
        drawing.replace(one.trigger.canvas(data.shape))


def delete(name: str) -> None:
    """Put a saved trigger aside."""
    try:
        library().delete(name)
        st.session_state[_DELETED] = name
    except InputError as error:
        st.session_state[_PROBLEM] = str(error)


def undo(name: str) -> None:
    """Bring a deleted trigger back."""
    st.session_state.pop(_DELETED, None)
    try:
        library().undelete(name)
    except InputError as error:
        st.session_state[_PROBLEM] = str(error)
