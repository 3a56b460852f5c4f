"""A pixel editor: a trigger is drawn as straight RGBA on the very pixel grid of a data set's images.

`drawing.py` holds the picture and judges strokes; the scripts run in the browser. From the pixels up: `raster.js`
changes them, `tools.js` says what each tool does, `editor.js` what the editor remembers, `paint.js` and `panel.js` show
it, `strokes.js` begins, ends and undoes changes, `actions.js`, `clipboard.js` and `hands.js` listen to people, and
`view.js` talks to Python.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dashboard.components.component import Component
from dashboard.components.pixel_editor.drawing import Drawing, read_paste

__all__ = ["Drawing", "pixel_editor"]

_component = Component(Path(__file__).parent)


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
        Which sample the background is, from 0, and how many there are; None if there is no choice.
    on_sample
        Called with 1 for the next sample, -1 for the previous one.
    on_paste
        Called with the content of a PNG file when a picture was pasted; without it nothing can be pasted.

    Raises
    ------
    InputError
        The background is not uint8 [h, w, 3] of the drawing's size.
    """

    def take_step(step: object) -> None:
        if on_sample is not None and isinstance(step, int) and step in (1, -1):
            on_sample(step)

    def take_paste(picture: object) -> None:
        if on_paste is not None and picture is not None:
            on_paste(read_paste(picture))

    _component.mount(
        key,
        drawing.message(background, grey=grey, samples=samples, paste=on_paste is not None),
        stroke=drawing.take,
        sample=take_step,
        paste=take_paste,
    )
