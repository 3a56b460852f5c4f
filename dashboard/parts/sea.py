"""The sea of W: one plane under a poisoned model and its control, calm where it is dark, rough where it is bright."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
import streamlit as st
from PIL import Image

from core.figures.palette import CLEAN, TRIGGERED
from core.figures.sea import sea_picture
from core.figures.slice_layers import fitted_top, scale_words
from core.figures.slice_words import sea_made, sea_words
from core.figures.w_colours import css_gradient, w_colours
from core.instruments.shipped_sea import DRAWS
from core.instruments.slices.plane_smoothness import Surroundings
from dashboard import cached

MODELS = ("Poisoned model", "Control")
_SIDE = 400


def show_sea(
    name: str,
    sigma: float,
    clean: str = "clean",
    triggered: str = "with the trigger",
    models: tuple[str, str] = MODELS,
) -> None:
    """Show W over a shipped plane under both models, on one colour scale, and what it says.

    Parameters
    ----------
    name
        Of a shipped example or of a run in the gallery; see `core.runs.shipped.seas.load_sea`.
    sigma
        One of its noise levels.
    clean, triggered
        What to call the two images that are marked.
    models
        What to call the poisoned model and its control.
    """
    sea = cached.sea(name)
    own, control = (sea.surroundings(sigma, of_control) for of_control in (False, True))
    side = sea.votes.shape[2]
    st.html(sea_html(name, sigma, models) + mark_key(clean, triggered))
    st.markdown(sea_words(own, control))
    st.caption(
        f"W at {side} × {side} points of the plane along the trigger and {sea.across}. {sea_made(own, DRAWS, seed=0)}"
    )


@st.cache_data(max_entries=64, show_spinner=False)
def sea_html(name: str, sigma: float, models: tuple[str, str] = MODELS) -> str:
    """Return both maps side by side above their colour bar, as HTML."""
    sea = cached.sea(name)
    maps = [sea.smoothness(sigma, of_control) for of_control in (False, True)]
    top = fitted_top(maps)
    figures = "".join(
        f'<figure><img src="{_as_url(sea_picture(sea.plane(of_control), found, top, _SIDE))}" alt="'
        f'{escape(_words(model, sea.surroundings(sigma, of_control)))}"><figcaption>{escape(model)}</figcaption>'
        "</figure>"
        for of_control, model, found in zip((False, True), models, maps, strict=True)
    )
    return f'<div class="ts-sea">{figures}</div>{colour_bar(top, sigma)}'


def colour_bar(top: float, sigma: float) -> str:
    """Return the colours of W from calm to rough with the numbers at their ends, as HTML."""
    return (
        f'<div class="ts-scale"><span>calm 0</span><i style="background:{css_gradient(w_colours())}"></i>'
        f"<span>{top:g} rough</span></div>"
        f'<div class="ts-small ts-scale-words">W at σ = {sigma:g}, {scale_words(top)}</div>'
    )


def mark_key(clean: str, triggered: str) -> str:
    """Return what the two marks on the maps stand for, as HTML."""
    return (
        f'<div class="ts-small"><span class="ts-key"><i class="ts-dot" style="background:{CLEAN};'
        f'border-radius:50%!important"></i>{escape(clean)}</span><span class="ts-key"><i class="ts-dot" '
        f'style="background:{TRIGGERED};transform:rotate(45deg) scale(.85)"></i>{escape(triggered)}</span></div>'
    )


def _words(model: str, around: Surroundings) -> str:
    return (
        f"{model}: W over a plane, {around.clean.value:.2f} around the clean image and {around.triggered.value:.2f} "
        "around the one with the trigger."
    )


def _as_url(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=86)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
