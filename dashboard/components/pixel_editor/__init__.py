"""A pixel editor: a trigger is drawn as straight RGBA on the very pixel grid of a data set's images.

`drawing.py` holds the picture and judges strokes; the other files run in the browser. `raster.js` changes pixels,
`view.js` shows them, `editor.js` listens to hands and talks to Python. Streamlit takes one module, so the three are
joined in that order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from core.errors import InputError
from dashboard.components.pixel_editor.drawing import Drawing, read_paste

__all__ = ["Drawing", "pixel_editor"]

_HERE = Path(__file__).parent
_mount = component(
    "pixel_editor",
    html=(_HERE / "editor.html").read_text(encoding="utf-8"),
    css=(_HERE / "editor.css").read_text(encoding="utf-8"),
    js="\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("raster.js", "view.js", "editor.js")),
)


def pixel_editor(
    drawing: Drawing,
    *,
    key: str,
    background: np.ndarray | None = None,
    grey: bool = False,
    samples: tuple[int, int] | None = None,
    on_sample: Callable[[int], None] | None = None,
    on_paste: Callable[[bytes], None] | None = None,
) -> None:
    """Show a drawing and let people draw on it, with mouse, finger or keyboard.

    After each stroke the page runs again, and `drawing.rgba` has the new pixels from its first line on. Not inside
    `st.form`, where Streamlit sends no strokes.

    Parameters
    ----------
    drawing
        The picture, kept by the page in `st.session_state`.
    key
        Names this editor among the page's widgets.
    background
        uint8 [h, w, 3], a sample image shown underneath, at the drawing's size; None shows the checkerboard only.
    grey
        Whether the images have one channel: then greys are offered instead of colours.
    samples
        Which sample the background is, from 0, and how many there are to walk through; None for no others.
    on_sample
        Called with 1 or -1 when the next sample or the one before is wanted.
    on_paste
        Called with the content of a PNG file when a picture was pasted; without it nothing can be pasted.

    Raises
    ------
    InputError
        The background is not uint8 [h, w, 3] of the drawing's size.
    """
    _mount(
        key=key,
        data=drawing.message(background, grey=grey, samples=samples, paste=on_paste is not None),
        on_stroke_change=partial(_take_stroke, drawing, key),
        on_sample_change=partial(_take_step, key, on_sample),
        on_paste_change=partial(_take_paste, key, on_paste),
    )


def _take_stroke(drawing: Drawing, key: str) -> None:
    try:
        drawing.take(st.session_state[key].get("stroke"))
    except InputError as error:
        # Only another client or a fault of ours sends these; the person who draws could do nothing about it.
        logging.getLogger(__name__).warning("Ignored a stroke: %s", error)


def _take_step(key: str, on_sample: Callable[[int], None] | None) -> None:
    step = st.session_state[key].get("sample")
    if on_sample is not None and step in (1, -1):
        on_sample(step)


def _take_paste(key: str, on_paste: Callable[[bytes], None] | None) -> None:
    text = st.session_state[key].get("paste")
    if on_paste is None or text is None:
        return
    try:
        on_paste(read_paste(text))
    except InputError as error:
        logging.getLogger(__name__).warning("Ignored a pasted picture: %s", error)
