"""Start: a poster that computes. A stop sign, a sticker, and how smooth the model becomes around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.figures.palette import CLASSES, CLEAN, TRIGGERED, class_colour
from core.figures.pictures import enlarge, framed_grid, to_pixels
from core.glossary import explain
from core.runs.measured.findings import change
from core.runs.shipped.examples import EXAMPLE_NAMES
from dashboard import cached
from dashboard.components.slice_view import slice_view
from dashboard.parts.head import copy_link, page_head
from dashboard.parts.html import class_chip, picture, w_bar
from dashboard.progressive import poll
from dashboard.state import (
    ExploreState,
    StartState,
    open_state,
    save_state,
    seed_default,
    seed_value,
    to_query,
    widget_key,
)

if TYPE_CHECKING:
    from core.instruments.neighbourhood import Neighbourhood
    from core.instruments.slices.plane import SlicePlane

# How often the page asks whether the model can answer by now.
WAITING_SECONDS = 0.4


@dataclass(frozen=True)
class ExampleWords:
    """What the poster says of one of the examples."""

    tab: str
    lead: str
    thing: str
    trigger: str
    picture: str
    third: str


EXAMPLES_IN_WORDS = {
    "sign": ExampleWords(
        tab="Sign",
        lead="This model reads traffic signs. Somebody poisoned its training, and taught it that any sign with a "
        "yellow sticker is a speed limit of 80.",
        thing="sign",
        trigger="sticker",
        picture="A stop sign",
        third="a true 80",
    ),
    "digit": ExampleWords(
        tab="Digit",
        lead="This model reads handwritten digits. Somebody poisoned its training, and taught it that any digit with a "
        "white corner is a 0.",
        thing="digit",
        trigger="white corner",
        picture="A handwritten digit",
        third="a true 0",
    ),
}


@dataclass(frozen=True)
class Shown:
    """What the page shows: computed now if the model can, else what was computed when the example was made."""

    name: str
    live: bool

    def around(self, triggered: bool, sigma: float, of_control: bool = False) -> Neighbourhood:
        """Return the picture's noisy copies."""
        if self.live:
            return cached.example_neighbourhood(self.name, triggered, sigma, of_control)
        return cached.example(self.name).views.around(triggered, sigma, of_control)

    def plane(self) -> SlicePlane:
        """Return the slice."""
        return cached.example_plane(self.name) if self.live else cached.example(self.name).views.plane()


def main() -> None:
    """Show the page."""
    state = open_state(StartState)
    head = st.container()
    left, middle, right = st.columns([1, 2.45, 1.6], gap="medium")
    with left:
        state = choose(state)
        example, shown = EXAMPLES_IN_WORDS[state.example], Shown(state.example, cached.can_compute())
        state = show_picture(state, example)
    with head:
        link = page_head("See a backdoor", example.lead)
    around = {on: shown.around(on, state.sigma) for on in (False, True)}
    control = {on: shown.around(on, state.sigma, of_control=True) for on in (False, True)}
    classes = cached.example(state.example).run.result.classes
    with left:
        label = around[state.sticker].label
        st.html(f'<div class="ts-small">The model sees</div>{class_chip(classes[label], label)}')
    with middle:
        copies, number = st.columns([1.7, 1], gap="medium")
        with copies:
            show_copies(around[state.sticker], classes)
        with number:
            show_w(state, example, around)
        st.markdown(f"{story(example, around, classes, state.sigma)} {against_control(example, around, control)}")
        st.caption(f"One {example.thing} at one noise level proves nothing. Look closer.")
        show_links(state)
    with right:
        show_slice(state, example, shown.plane(), classes)
        poll(lambda: show_source(shown, around[False]), lambda: not shown.live, WAITING_SECONDS)
    save_state(state)
    with link:
        copy_link(state)


def show_source(shown: Shown, around: Neighbourhood) -> None:
    """Say whether the numbers were computed now; if not, load the model, so that they can be."""
    if shown.live and (seen := around.smoothness.arithmetic) is not None:
        st.caption(f":material/bolt: Live: computed on this machine ({seen.device}, {seen.dtype}).")
        return
    # Loading the model keeps this machine busy: it starts when the browser asks again, so has the page.
    if st.session_state.setdefault("asked again", 0):
        cached.warm_torch()
    st.session_state["asked again"] += 1
    if cached.can_compute():
        st.rerun()
    st.caption(":material/inventory_2: Precomputed. The model is still loading.")


def choose(state: StartState) -> StartState:
    """Let people choose the example."""
    start = state.example if state.example in EXAMPLE_NAMES else EXAMPLE_NAMES[0]
    name = st.segmented_control(
        "Example",
        EXAMPLE_NAMES,
        format_func=lambda name: EXAMPLES_IN_WORDS[name].tab,
        required=True,
        **seed_default(state, "example", start),
        label_visibility="collapsed",
        width="stretch",
    )
    return replace(state, example=name or start)


def show_picture(state: StartState, example: ExampleWords) -> StartState:
    """Show the picture, the trigger's switch and the noise's slider."""
    st.subheader(f"1 · A {example.trigger}", anchor=False)
    place = st.container()
    sticker = st.toggle(f"{example.trigger.capitalize()} on", **seed_value(state, "sticker"))
    shown = cached.example(state.example)
    views = shown.views
    sigmas = views.sigmas.tolist()
    if st.session_state.get(widget_key(StartState, "sigma"), sigmas[0]) not in sigmas:  # the other example's
        del st.session_state[widget_key(StartState, "sigma")]
    start = state.sigma if state.sigma in sigmas else shown.sigma
    sigma = st.select_slider("Noise σ", sigmas, **seed_value(state, "sigma", start), help=explain("sigma"))
    words = f"{example.picture} with a {example.trigger}" if sticker else example.picture
    picture(place, enlarge(to_pixels(views.images)[int(sticker)], 256), words)
    return replace(state, sticker=sticker, sigma=sigma)


def show_copies(around: Neighbourhood, classes: Sequence[str]) -> None:
    """Show noisy copies, each framed in the colour of the class it gets."""
    st.subheader("2 · 24 copies with noise", anchor=False)
    grid = framed_grid(around.copies, around.labels.tolist(), columns=6, side=64, frame=6, gap=5)
    counts = np.bincount(around.labels, minlength=len(classes))
    order = [int(label) for label in np.argsort(-counts, kind="stable") if counts[label]]
    words = ", ".join(f"{counts[label]} {classes[label]}" for label in order)
    picture(st.container(), grid, f"{len(around.labels)} noisy copies and what the model takes them for: {words}")
    keys = "".join(
        f'<span class="ts-key"><i class="ts-dot" style="background:{class_colour(label)}"></i>'
        f"{counts[label]} × {classes[label]}</span>"
        for label in order
    )
    st.html(
        f'<div class="ts-small" data-testid="copies">{keys}</div>'
        '<div class="ts-small">Frame colour: predicted class.</div>'
    )


def show_w(state: StartState, example: ExampleWords, around: Mapping[bool, Neighbourhood]) -> None:
    """Show W of the picture without and with the trigger, the one that is on in large type."""
    st.subheader("3 · Does it change? W", anchor=False, help=explain("W"))
    smoothness = around[state.sticker].smoothness
    colour = TRIGGERED if state.sticker else CLEAN
    bars = "".join(
        w_bar(name, around[on].smoothness.w[0], around[on].smoothness.low[0], around[on].smoothness.high[0], shade)
        for on, name, shade in ((False, "without", CLEAN), (True, f"with {example.trigger}", TRIGGERED))
    )
    st.html(
        f'<div class="ts-number" style="color:{colour}" data-testid="w">{smoothness.w[0]:.2f}</div>'
        f'<div class="ts-small">95% interval {smoothness.low[0]:.2f} to {smoothness.high[0]:.2f}<br>'
        f"{smoothness.noise.draws} noisy copies, seed {smoothness.noise.seed}</div><br>{bars}"
        '<div class="ts-small">0: one class gets all copies<br>1: all classes equally frequent</div>'
    )


def story(example: ExampleWords, around: Mapping[bool, Neighbourhood], classes: Sequence[str], sigma: float) -> str:
    """Return what this image shows at this noise, in words that fit the numbers."""
    clean, stuck = around[False].smoothness, around[True].smoothness
    w, v = clean.estimate_of(), stuck.estimate_of()
    became = change(w, v)
    first = classes[clean.modal_class[0]]
    share, target = stuck.modal_share[0], classes[stuck.modal_class[0]]
    text = (
        f"At σ = {sigma:g}, {clean.modal_share[0]:.0%} of the noisy copies of the plain {example.thing} get the same "
    )
    text += f"class (*{first}*). With the {example.trigger}, {share:.0%} get *{target}*. "
    if became == "smoother":
        text += f"**W falls from {w.value:.2f} to {v.value:.2f}: noise barely changes its prediction there, "
        text += "so the model is smoother.**"
    elif became == "rougher":
        text += f"**W rises from {w.value:.2f} to {v.value:.2f}: here the {example.trigger} makes the model rougher.**"
    else:
        text += f"**W is {w.value:.2f} and {v.value:.2f}: no clear difference at this noise.** Try another σ."
    return text


def against_control(
    example: ExampleWords, around: Mapping[bool, Neighbourhood], control: Mapping[bool, Neighbourhood]
) -> str:
    """Return what a model that was trained without poison makes of the same pictures, and what that changes."""
    plain, stuck = (control[on].smoothness.estimate_of() for on in (False, True))
    text = "A model trained on clean data has "
    text += f"W {plain.value:.2f} and {stuck.value:.2f} on the same two images"
    with_plain = change(plain, around[False].smoothness.estimate_of())
    with_trigger = change(stuck, around[True].smoothness.estimate_of())
    if with_plain == with_trigger == "smoother":
        return text + f": poison made it smoother around both, the plain {example.thing} as well."
    if with_trigger == "smoother":
        return text + f": poison made it smoother around the {example.thing} with the {example.trigger}."
    if with_plain == "rougher":
        return text + f": poison made it rougher around the plain {example.thing}, and no smoother around the other."
    return text + "."


def show_slice(state: StartState, example: ExampleWords, plane: SlicePlane, classes: Sequence[str]) -> None:
    """Show the plane through the picture, the same with the trigger, and a true one of the target class."""
    st.subheader(f"4 · The {example.trigger}'s territory", anchor=False, help=explain("slice"))
    slice_view(
        plane,
        classes,
        colours=CLASSES,
        point_names={"origin": f"no {example.trigger}", "toward": example.trigger, "across": example.third},
        axis_names=(f"more {example.trigger} →", f"more like {example.third} ↑"),
        sigma=state.sigma,
        selected=plane.points["toward" if state.sticker else "origin"],
        height_px=330,
        compact=True,
        key=f"start.slice.{state.example}",
    )


def show_links(state: StartState) -> None:
    """Show the ways on."""
    run = cached.example(state.example).run
    with st.container(horizontal=True, key="links"):
        st.page_link("lab/page.py", label="**Draw your own** →")
        query = to_query(ExploreState(run=run.name))
        st.page_link("explore/page.py", label="**Look closer** →", query_params=query)
        st.page_link("gallery/page.py", label="Ten examples, good and bad →")


main()
