"""What the attacker wants, and how many images it poisons."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from core.attacks.attack import MODES, ModeName
from core.datasets import Dataset
from core.glossary import explain
from dashboard.state import LabState, seed_index, seed_value, seed_widget

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

MOST_RATE, MOST_COVER = 30.0, 30.0
Number = TypeVar("Number", int, float)


def choose_attack(columns: list[DeltaGenerator], below: DeltaGenerator, state: LabState, data: Dataset) -> LabState:
    """Show the settings of the attack and return what they say; what only some modes need comes `below`."""
    last = len(data.classes) - 1
    mode = columns[0].selectbox(
        "Attack",
        list(MODES),
        format_func=lambda name: MODES[name].title,
        **seed_index(state, "mode", list(MODES), LabState.mode),
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
    rate = columns[2].slider(
        "Poisoning rate",
        0.0,
        MOST_RATE,
        **seed_value(state, "rate", within(state.rate, 0.0, MOST_RATE)),
        step=0.5,
        format="%g%%",
        help=explain("poisoning rate"),
    )
    anywhere = columns[3].toggle(
        "Random place",
        **seed_value(state, "anywhere"),
        help="The trigger is placed at a different random position in each image. It has to be a picture smaller than "
        "the image.",
    )
    state = replace(state, mode=mode, target=target, rate=rate, anywhere=anywhere)
    if mode != LabState.mode:
        with below:
            state = choose_further(state, mode, data)
    return state


def choose_further(state: LabState, name: ModeName, data: Dataset) -> LabState:
    """Say what a mode does, and show what it needs beyond target and rate."""
    mode = MODES[name]
    if name == "source-specific":
        left, right = st.columns([2, 1], vertical_alignment="bottom")
        state = choose_sources(left, state, data)
        cover = right.slider(
            "Cover samples",
            0.0,
            MOST_COVER,
            **seed_value(state, "cover", within(state.cover, 0.0, MOST_COVER)),
            step=0.5,
            format="%g%%",
            help="Share of all training images that belong to other classes, carry the trigger and keep their label.",
        )
        state = replace(state, cover=cover)
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


def choose_sources(place: DeltaGenerator, state: LabState, data: Dataset) -> LabState:
    """Show which classes are attacked: any but the target; at first the one after it."""
    eligible = [label for label in range(len(data.classes)) if label != state.target]
    named = [label for label in read_sources(state.sources) if label in eligible]
    key = seed_widget(
        state, "sources", named or [label for label in eligible if label > state.target][:1] or eligible[:1]
    )
    possible = [label for label in st.session_state[key] if label in eligible]
    if possible != st.session_state[key]:
        st.session_state[key] = possible
    chosen = place.multiselect(
        "Source classes",
        eligible,
        possible,
        format_func=lambda label: data.classes[label],
        key=key,
        placeholder="Choose classes",
    )
    return replace(state, sources="-".join(map(str, sorted(chosen))))


def read_sources(text: str) -> tuple[int, ...]:
    """Return the class numbers in a link's "1-3"; what is none is left out."""
    return tuple(sorted({int(part) for part in text.split("-") if part.isdecimal() and len(part) < 6}))


def within(value: Number, lowest: Number, highest: Number) -> Number:
    """Return what a link says, brought into a control's range."""
    return min(max(value, lowest), highest)
