"""Small things in HTML, Markdown and pictures that several pages show alike."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.attacks.triggers import AnyTrigger
from core.figures.palette import class_colour
from core.figures.trigger_picture import trigger_picture

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

# Text of the figures, on light and on dark ground: both at a contrast of 7 or more.
_INK = {"light": "#4b4d5c", "dark": "#c6c8d4"}


def figure_ink() -> str:
    """Return the colour of text in figures under the theme that the page has."""
    return _INK["dark" if st.context.theme.type == "dark" else "light"]


def picture(place: DeltaGenerator, pixels: np.ndarray, alt: str) -> None:
    """Show a picture as wide as its place, with words for those who cannot see it."""
    place.image(pixels, width="stretch", alt=alt, output_format="PNG")


@st.cache_data(max_entries=512, show_spinner=False)
def trigger_source(link: str, shape: tuple[int, int, int], _trigger: AnyTrigger) -> str:
    """Return a trigger's picture as the address of an image; the link names the trigger."""
    from PIL import Image

    packed = io.BytesIO()
    Image.fromarray(trigger_picture(_trigger, shape, 96)).save(packed, "PNG")
    return f"data:image/png;base64,{base64.b64encode(packed.getvalue()).decode()}"


def class_chip(name: str, label: int) -> str:
    """Return a class's name with its colour, as HTML."""
    return f'<span class="ts-chip"><i style="background:{class_colour(label)}"></i>{escape(name)}</span>'


def w_bar(name: str, w: float, low: float, high: float, colour: str) -> str:
    """Return W on a scale from 0 to 1 with its interval, as HTML."""
    return (
        f'<div class="ts-small" style="display:flex;justify-content:space-between"><span>{escape(name)}</span>'
        f"<span>{w:.2f}</span></div>"
        f'<div class="ts-bar"><b style="left:{100 * low:.1f}%;width:{max(1.0, 100 * (high - low)):.1f}%;'
        f'background:{colour};opacity:.35"></b><b style="left:calc({100 * w:.1f}% - 2px);width:4px;'
        f'background:{colour}"></b></div>'
    )
