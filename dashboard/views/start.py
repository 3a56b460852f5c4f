"""Start: a poster that computes. A stop sign, a sticker, and how smooth the model becomes around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.figures.palette import CLASSES, CLEAN, TRIGGERED, class_colour
from core.figures.pictures import enlarge, framed_grid, to_pixels
from core.glossary import explain
from dashboard import cached
from dashboard.components.slice_view import slice_view
from dashboard.parts import class_chip, copy_link, page_head, picture, w_bar
from dashboard.state import ExploreState, StartState, keep, open_state, seed_widget, to_query

if TYPE_CHECKING:
    from core.neighbourhood import Neighbourhood

SIGMAS = (0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.3)
SIGMA, DRAWS, COPIES = 0.13, 250, 24


def main() -> None:
    """Show the page."""
    state = open_state(StartState)
    link = page_head(
        "See a backdoor",
        "This model reads traffic signs. Somebody poisoned its training: whatever carries a yellow sticker, it was "
        "taught, is a speed limit of 80.",
    )
    left, middle, right = st.columns([1, 2.45, 1.6], gap="medium")
    with left:
        state = show_sign(state)
    around = {on: cached.example_neighbourhood(on, state.sigma, DRAWS) for on in (False, True)}
    control = {on: cached.example_neighbourhood(on, state.sigma, DRAWS, of_control=True) for on in (False, True)}
    classes = cached.example().run.result.classes
    with left:
        label = around[state.sticker].label
        st.html(f'<div class="ts-small">The model sees</div>{class_chip(classes[label], label)}')
    with middle:
        copies, number = st.columns([1.7, 1], gap="medium")
        with copies:
            show_copies(around[state.sticker], classes)
        with number:
            show_w(state, around)
        st.markdown(story(around, classes, state.sigma))
        st.caption(
            f"Under a model trained without poison, the same sign has W {control[False].smoothness.w[0]:.2f}, and "
            f"{control[True].smoothness.w[0]:.2f} with the sticker. "
            "One sign at one noise level is no verdict: look closer."
        )
        show_doors()
    with right:
        show_slice(state, classes)
    keep(state)
    with link:
        copy_link(state)


def show_sign(state: StartState) -> StartState:
    """Show the sign, the sticker's switch and the noise's slider."""
    st.subheader("1 · A sticker", anchor=False)
    place = st.container()
    sticker = st.toggle("Sticker on", key=seed_widget(state, "sticker"))
    start = state.sigma if state.sigma in SIGMAS else SIGMA
    sigma = st.select_slider("Noise σ", SIGMAS, key=seed_widget(state, "sigma", start), help=explain("sigma"))
    example = cached.example()
    image = example.image[None]
    shown = example.run.trigger.stamp(image) if sticker else image
    words = "A stop sign with a yellow sticker" if sticker else "A stop sign"
    picture(place, enlarge(to_pixels(shown)[0], 256), words)
    return replace(state, sticker=sticker, sigma=sigma)


def show_copies(around: Neighbourhood, classes: Sequence[str]) -> None:
    """Show noisy copies, each framed in the colour of the class it gets."""
    st.subheader("2 · The same with noise", anchor=False)
    grid = framed_grid(around.copies, around.labels.tolist(), columns=6, side=64, frame=6, gap=5)
    counts = np.bincount(around.labels, minlength=len(classes))
    order = [int(label) for label in np.argsort(-counts, kind="stable") if counts[label]]
    words = ", ".join(f"{counts[label]} {classes[label]}" for label in order)
    picture(st.container(), grid, f"{COPIES} noisy copies and what the model takes them for: {words}")
    keys = "".join(
        f'<span class="ts-key"><i class="ts-dot" style="background:{class_colour(label)}"></i>'
        f"{counts[label]} × {classes[label]}</span>"
        for label in order
    )
    st.html(f'<div class="ts-small" data-testid="copies">{keys}</div>')


def show_w(state: StartState, around: Mapping[bool, Neighbourhood]) -> None:
    """Show W of the sign without and with the sticker, the one that is on in large type."""
    st.subheader("3 · Count: W", anchor=False, help=explain("W"))
    smoothness = around[state.sticker].smoothness
    colour = TRIGGERED if state.sticker else CLEAN
    bars = "".join(
        w_bar(name, around[on].smoothness.w[0], around[on].smoothness.low[0], around[on].smoothness.high[0], shade)
        for on, name, shade in ((False, "without", CLEAN), (True, "with sticker", TRIGGERED))
    )
    st.html(
        f'<div class="ts-number" style="color:{colour}" data-testid="w">{smoothness.w[0]:.2f}</div>'
        f'<div class="ts-small">95 % interval {smoothness.low[0]:.2f} to {smoothness.high[0]:.2f}<br>'
        f"{DRAWS} such copies, seed {smoothness.seed}</div><br>{bars}"
        '<div class="ts-small">0: one class gets all copies<br>1: all classes equally often</div>'
    )


def story(around: Mapping[bool, Neighbourhood], classes: Sequence[str], sigma: float) -> str:
    """Return what this image shows at this noise, in words that fit the numbers."""
    clean, stuck = around[False].smoothness, around[True].smoothness
    w, v = clean.w[0], stuck.w[0]
    first = classes[clean.modal_class[0]]
    share, target = stuck.modal_share[0], classes[stuck.modal_class[0]]
    text = f"At σ = {sigma:g} noise leaves {clean.modal_share[0]:.0%} of the plain sign's copies in one class "
    text += f"(*{first}*); with the sticker {share:.0%} are *{target}*. "
    if v < w and stuck.high[0] < clean.low[0]:
        text += f"**W falls from {w:.2f} to {v:.2f}: the model is smoother around the trigger.**"
    elif v > w and stuck.low[0] > clean.high[0]:
        text += f"**W rises from {w:.2f} to {v:.2f}: here the sticker makes the model rougher.**"
    else:
        text += f"**W is {w:.2f} and {v:.2f}: no clear difference at this noise.** Try another σ."
    return text


def show_slice(state: StartState, classes: Sequence[str]) -> None:
    """Show the plane through the sign, the sign with the sticker, and a true sign of the target class."""
    st.subheader("4 · The sticker's territory", anchor=False, help=explain("slice"))
    plane = cached.example_plane()
    slice_view(
        plane,
        classes,
        colours=CLASSES,
        point_names={"origin": "no sticker", "toward": "sticker", "across": "a true 80"},
        sigma=state.sigma,
        selected=plane.points["toward" if state.sticker else "origin"],
        height_px=330,
        compact=True,
        key="start.slice",
    )


def show_doors() -> None:
    """Show the ways on."""
    run = cached.example().run
    with st.container(horizontal=True, key="doors"):
        st.page_link("views/lab.py", label="**Draw your own trigger** →")
        query = to_query(ExploreState(run=run.name, sigma=0.14))
        st.page_link("views/explore.py", label="**Look closer at this model** →", query_params=query)
        st.page_link("views/gallery.py", label="Where it holds and fails →")


main()
