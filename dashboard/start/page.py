"""Start: a poster that computes. A stop sign, a sticker to be dragged about, and how smooth the model is around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.attacks.triggers import Trigger, preset_names
from core.figures.palette import CLEAN, TRIGGERED, class_colour
from core.figures.pictures import framed_grid, to_pixels
from core.glossary import explain
from core.runs.measured.w import page_attack_spec
from core.runs.shipped.examples import EXAMPLE_NAMES
from dashboard import cached
from dashboard.components.placement import Hand, placement
from dashboard.parts.head import copy_link, page_head
from dashboard.parts.html import picture, w_bar
from dashboard.parts.placed import with_placing
from dashboard.parts.sea import show_sea
from dashboard.progressive import poll
from dashboard.start.shown import Shown, attack_of
from dashboard.start.slice import rest_here, show_slice
from dashboard.start.story import EXAMPLES_IN_WORDS, ExampleWords, on_average, story
from dashboard.state import (
    ExploreState,
    LabState,
    StartState,
    get_state,
    open_state,
    save_state,
    seed_default,
    seed_value,
    set_state,
    to_query,
    widget_key,
)

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from core.instruments.neighbourhood import Neighbourhood

    Around = Mapping[bool, Neighbourhood]

# How often the page asks whether the model can answer by now.
WAITING_SECONDS = 0.4
# Whether the hand rests: only then are all draws taken, and slice and address follow.
_RESTING = "start.resting"


@dataclass(frozen=True)
class Places:
    """Where on the poster the numbers are written, twice while the first ones are of few draws."""

    copies: DeltaGenerator
    w: DeltaGenerator
    story: DeltaGenerator


def main() -> None:
    """Show the page."""
    state = open_state(StartState)
    if state.example not in EXAMPLE_NAMES:
        state = replace(state, example=EXAMPLE_NAMES[0])
        set_state(state)
    st.session_state[_RESTING] = True
    link = page_head("See a backdoor", EXAMPLES_IN_WORDS[state.example].lead)
    poster()
    with link:
        copy_link(get_state(StartState))


@st.fragment
def poster() -> None:
    """Show all that follows the hand on the trigger. A move runs this again, and nothing else of the page."""
    state = get_state(StartState)
    example = EXAMPLES_IN_WORDS[state.example]
    left, middle, right = st.columns([1.12, 2.35, 1.5], gap="medium")
    with left:
        choose_example(state)
        st.subheader(f"1 · Drag the {example.trigger}", anchor=False)
        in_hand = st.container()
        sigma = choose_sigma(state)
    state, now = replace(state, sigma=sigma), Shown.of(state, sigma)
    around = now.around(of_control=False, whole=False)
    with in_hand:
        hold(now, around)  # first, with the label: that is what people wait for
    with middle:
        places = lay_out(now)
        show_links(state, now)
    if around is not None:
        show_copies(places.copies, around[now.on], now.classes)
        show_numbers(places, now, whole=False)
    if st.session_state[_RESTING]:
        show_numbers(places, now, whole=True)
        save_state(state)
        rest_here(now)
    else:
        set_state(state)
    with right:
        st.subheader(f"4 · The {example.trigger}'s territory", anchor=False, help=explain("slice"))
        show_slice(now)
        poll(lambda: show_source(now, around), lambda: not now.live, WAITING_SECONDS)
    st.subheader("5 · The sea of W: dark is calm, bright is rough", anchor=False, help=explain("W"))
    with st.container(width=640):
        show_sea(now.name, sigma, f"no {example.trigger}", f"{example.trigger}, where it was trained")


def hold(now: Shown, around: Around | None) -> None:
    """Show the picture with the trigger, for the hand, and what the model sees."""
    example, seen, note = EXAMPLES_IN_WORDS[now.name], None, ""
    if around is None:
        note = f"The model is still loading. In a moment it answers for this {example.trigger}."
    else:
        label = around[now.on].label
        seen = now.classes[label], class_colour(label)
    placement(
        to_pixels(now.example.image[None])[0],
        now.trained,
        now.shape,
        now.placing,
        key=f"start.hand.{now.name}",
        thing=example.trigger,
        on=now.on,
        seen=seen,
        note=note,
        side_px=300,
        compact=True,
        on_change=partial(take, now.trained),
    )


def take(trained: Trigger, hand: Hand) -> None:
    """Keep what the hand did."""
    st.session_state[_RESTING] = hand.resting
    set_state(with_placing(replace(get_state(StartState), sticker=hand.on), hand.placing, trained))


def show_source(now: Shown, around: Around | None) -> None:
    """Say whether the numbers were computed now; if not, load the model, so that they can be."""
    if now.live and around is not None and (seen := around[False].smoothness.arithmetic) is not None:
        st.caption(f":material/bolt: Live: computed on this machine ({seen.device}, {seen.dtype}).")
        return
    # Loading the model keeps this machine busy: it starts when the browser asks again, so has the page.
    if st.session_state.setdefault("asked again", 0):
        cached.warm_torch()
    st.session_state["asked again"] += 1
    if cached.can_compute():
        st.rerun()
    st.caption(":material/inventory_2: Precomputed. The model is still loading.")


def choose_example(state: StartState) -> None:
    """Let people choose the example; another one begins anew."""
    name = st.segmented_control(
        "Example",
        EXAMPLE_NAMES,
        format_func=lambda name: EXAMPLES_IN_WORDS[name].tab,
        required=True,
        **seed_default(state, "example"),
        label_visibility="collapsed",
        width="stretch",
    )
    if name and name != state.example:
        st.session_state.pop(widget_key(StartState, "sigma"), None)
        save_state(StartState(example=name))
        st.rerun()


def choose_sigma(state: StartState) -> float:
    """Let people choose the noise; a link's that is none of the levels gives way to the usual one."""
    example = cached.example(state.example)
    sigmas = example.views.sigmas.tolist()
    start = state.sigma if state.sigma in sigmas else example.sigma
    return st.select_slider("Noise σ", sigmas, **seed_value(state, "sigma", start), help=explain("sigma"))


def lay_out(now: Shown) -> Places:
    """Show the headings of copies, W and story, and the mean over all images below; return where the rest goes."""
    copies, number = st.columns([1.7, 1], gap="medium")
    copies.subheader("2 · 24 copies with noise", anchor=False)
    number.subheader("3 · Does it change? W", anchor=False, help=explain("W"))
    places = Places(copies.container(), number.empty(), st.empty())
    st.caption(average(now.name, now.sigma))
    return places


@st.cache_data(max_entries=32, show_spinner=False)
def average(name: str, sigma: float) -> str:
    """Return what all measured images of an example's run say at a noise level."""
    example = cached.example(name)
    spec = page_attack_spec(attack_of(example)[0], sigma)
    own, control = (cached.measurement(run.path, spec.hash, spec) for run in (example.run, example.control))
    return on_average(EXAMPLES_IN_WORDS[name], own, control)


def show_copies(place: DeltaGenerator, around: Neighbourhood, classes: Sequence[str]) -> None:
    """Show noisy copies, each framed in the colour of the class it gets."""
    grid = framed_grid(around.copies, around.labels.tolist(), columns=6, side=64, frame=6, gap=5)
    counts = np.bincount(around.labels, minlength=len(classes))
    order = [int(label) for label in np.argsort(-counts, kind="stable") if counts[label]]
    words = ", ".join(f"{counts[label]} {classes[label]}" for label in order)
    picture(place, grid, f"{len(around.labels)} noisy copies and what the model takes them for: {words}")
    keys = "".join(
        f'<span class="ts-key"><i class="ts-dot" style="background:{class_colour(label)}"></i>'
        f"{counts[label]} × {classes[label]}</span>"
        for label in order
    )
    place.html(
        f'<div class="ts-small" data-testid="copies">{keys}</div>'
        '<div class="ts-small">Frame colour: predicted class.</div>'
    )


def show_numbers(places: Places, now: Shown, *, whole: bool) -> None:
    """Write W and the story, from the first draws or from all."""
    example = EXAMPLES_IN_WORDS[now.name]
    around = now.around(of_control=False, whole=whole)
    if around is None:
        return
    show_w(places.w, example, around, on=now.on)
    control = now.around(of_control=True, whole=whole)
    if control is not None:
        places.story.markdown(story(example, around, control, now.classes, now.sigma))


def show_w(place: DeltaGenerator, example: ExampleWords, around: Around, *, on: bool) -> None:
    """Write W without and with the trigger, the one that is on in large type."""
    smoothness = around[on].smoothness
    colour = TRIGGERED if on else CLEAN
    bars = "".join(
        w_bar(name, around[one].smoothness.w[0], around[one].smoothness.low[0], around[one].smoothness.high[0], shade)
        for one, name, shade in ((False, "without", CLEAN), (True, f"with {example.trigger}", TRIGGERED))
    )
    place.html(
        f'<div class="ts-number" style="color:{colour}" data-testid="w">{smoothness.w[0]:.2f}</div>'
        f'<div class="ts-small">95% interval {smoothness.low[0]:.2f} to {smoothness.high[0]:.2f}<br>'
        f'<span data-testid="draws">{smoothness.noise.draws}</span> noisy copies, seed {smoothness.noise.seed}</div>'
        f"<br>{bars}"
        '<div class="ts-small">0: one class gets all copies<br>1: all classes equally frequent</div>'
    )


def show_links(state: StartState, now: Shown) -> None:
    """Show the ways on, each with the same picture."""
    attack, trained = attack_of(now.example)
    spec, variant = now.example.run.spec, now.variant
    preset = variant == trained and trained.name in preset_names()
    lab = LabState(
        dataset=spec.dataset,
        trigger=trained.name if preset else variant.to_link(),
        target=attack.target or 0,
    )
    explore = ExploreState(
        run=now.example.run.name,
        image=now.example.place,
        sigma=now.sigma,
        place=state.place,
        opacity=state.opacity,
        side=state.side,
    )
    with st.container(horizontal=True, key="links"):
        st.page_link("lab/page.py", label="**Draw your own** →", query_params=to_query(lab))
        st.page_link("explore/page.py", label="**Look closer** →", query_params=to_query(explore))
        st.page_link("gallery/page.py", label="Ten examples, good and bad →")


main()
