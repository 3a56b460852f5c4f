"""What the attacker wants, and how many images it poisons."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from core.attacks.attack import MODES, ModeName
from core.attacks.poisoning import RateLimits, rate_limits
from core.attacks.triggers import preset_names
from core.datasets import Dataset
from core.glossary import explain
from dashboard.lab.canvas import use_preset
from dashboard.state import LabState, get_state, seed_index, seed_value, seed_widget, widget_key

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

MOST = 30.0
Number = TypeVar("Number", int, float)
# Steps of a slider of rates, in per cent: the first that the range is at least four times as long as.
STEPS = (0.5, 0.1, 0.01, 0.001)


def choose_attack(columns: list[DeltaGenerator], below: DeltaGenerator, state: LabState, data: Dataset) -> LabState:
    """Show the settings of the attack and return what they say; what only some modes need comes `below`."""
    last = len(data.classes) - 1
    mode = columns[0].selectbox(
        "Attack",
        list(MODES),
        format_func=lambda name: MODES[name].title,
        **seed_index(state, "mode", list(MODES), LabState.mode),
        on_change=start_mode,
        args=(data.shape,),
        help="\n\n".join(f"**{mode.title}**: {mode.sentence} *{mode.source}*" for mode in MODES.values()),
    )
    target = columns[1].selectbox(
        "Target class",
        range(len(data.classes)),
        format_func=lambda label: data.classes[label],
        **seed_index(state, "target", range(len(data.classes)), within(state.target, 0, last)),
        help=explain("target"),
        disabled=mode == "all-to-all",
    )
    state = replace(state, mode=mode, target=target)
    sources = possible_sources(state, data) if mode == "source-specific" else []
    limits = rate_limits(data.train.labels.numpy(), mode, target, sources)
    rate = rate_slider(columns[2], state, "rate", "Poisoning rate", limits.poisoned, explain("poisoning rate"))
    anywhere = columns[3].toggle(
        "Random place",
        **seed_value(state, "anywhere"),
        on_change=start_random_places,
        args=(data.shape,),
        help="The trigger is placed at a different random position in each image. It has to be a picture smaller than "
        "the image.",
    )
    state = replace(state, rate=rate, anywhere=anywhere)
    if mode != LabState.mode:
        with below:
            state = choose_further(state, mode, data, limits)
    return state


def rate_slider(place: DeltaGenerator, state: LabState, name: str, title: str, most: float, help_text: str) -> float:
    """Show a slider of a rate, in per cent, which ends where the data set does: at the share `most`."""
    limit = min(MOST, 100 * most) or MOST
    step = next((step for step in STEPS if limit >= 4 * step), STEPS[-1])
    limit = max(step, round(math.floor(limit / step + 1e-9) * step, 6))
    key = seed_widget(state, name)
    st.session_state[key] = within(float(st.session_state[key]), 0.0, limit)
    return place.slider(
        title, 0.0, limit, **seed_value(state, name), step=step, format="%g%%", help=help_text, disabled=most == 0
    )


def start_mode(shape: tuple[int, int, int]) -> None:
    """Start another mode where it works: what nobody has changed follows it."""
    modes = {str(name): mode for name, mode in MODES.items()}
    before, mode = modes[get_state(LabState).mode], modes[st.session_state[widget_key(LabState, "mode")]]
    rate = widget_key(LabState, "rate")
    if st.session_state[rate] == 100 * before.rate:
        st.session_state[rate] = 100 * mode.rate
    st.session_state[widget_key(LabState, "perturbed")] = mode.perturbed
    if mode.trigger != LabState.trigger:
        start_trigger(mode.trigger, shape, f"A small trigger rarely works with {mode.title.lower()}")


def start_random_places(shape: tuple[int, int, int]) -> None:
    """Start random places with a trigger that is told from the images wherever it lies."""
    if st.session_state[widget_key(LabState, "anywhere")]:
        start_trigger("checkerboard", shape, "White pixels anywhere look like a part of the image")


def start_trigger(name: str, shape: tuple[int, int, int], why: str) -> None:
    """Put a preset on the canvas if what is there is the one that everybody starts with, and say why."""
    if get_state(LabState).trigger == LabState.trigger:
        use_preset(name, shape)
        st.toast(f"{why}, so here is the {preset_names()[name].lower()}. Undo brings yours back.")


def choose_further(state: LabState, name: ModeName, data: Dataset, limits: RateLimits) -> LabState:
    """Say what a mode does, and show what it needs beyond target and rate."""
    mode = MODES[name]
    if name == "source-specific":
        left, right = st.columns([2, 1], vertical_alignment="bottom")
        state = choose_sources(left, state, data)
        words = "Share of all training images that belong to other classes, carry the trigger and keep their label."
        cover = rate_slider(right, state, "cover", "Cover samples", limits.covers, words)
        state = replace(state, cover=cover if limits.covers else 0.0)
    if name == "clean-label":
        perturbed = st.toggle(
            "Perturb the images first",
            **seed_value(state, "perturbed"),
            help="Before the trigger is put on them, the images are changed a little, so that a model trained without "
            "poison mistakes them: then the trigger is the easier thing to learn (Turner, Tsipras and Madry, 2019). "
            "Trains a separate model first, so it takes longer.",
        )
        state = replace(state, perturbed=perturbed)
    st.caption(f"{mode.sentence} Success: {mode.success[0].lower()}{mode.success[1:]} *{mode.source}*")
    return state


def possible_sources(state: LabState, data: Dataset) -> list[int]:
    """Return the classes that are attacked: any but the target; at first the one after it."""
    eligible = [label for label in range(len(data.classes)) if label != state.target]
    named = [label for label in read_sources(state.sources) if label in eligible]
    key = seed_widget(
        state, "sources", named or [label for label in eligible if label > state.target][:1] or eligible[:1]
    )
    possible = [label for label in st.session_state[key] if label in eligible]
    if possible != st.session_state[key]:
        st.session_state[key] = possible
    return possible


def choose_sources(place: DeltaGenerator, state: LabState, data: Dataset) -> LabState:
    """Show which classes are attacked."""
    chosen = place.multiselect(
        "Source classes",
        [label for label in range(len(data.classes)) if label != state.target],
        possible_sources(state, data),
        format_func=lambda label: data.classes[label],
        key=widget_key(LabState, "sources"),
        placeholder="Choose classes",
    )
    return replace(state, sources="-".join(map(str, sorted(chosen))))


def read_sources(text: str) -> tuple[int, ...]:
    """Return the class numbers in a link's "1-3"; what is none is left out."""
    return tuple(sorted({int(part) for part in text.split("-") if part.isdecimal() and len(part) < 6}))


def within(value: Number, lowest: Number, highest: Number) -> Number:
    """Return what a link says, brought into a control's range."""
    return min(max(value, lowest), highest)
