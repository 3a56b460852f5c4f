"""Choosing runs to compare: the box in each row, and the bar at the foot of the window, which is always there.

So nothing moves when a run is chosen, and no button of the bar comes to lie where a box was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from core.runs.library.card import Card
from core.runs.run import State
from dashboard.markdown import plain
from dashboard.state import ExploreState, RunsState, get_state, set_state, to_query

FEWEST, MOST = 2, 2


def picked(state: RunsState, cards: Mapping[str, Card]) -> list[str]:
    """Return the names of the runs that are chosen and can be."""
    names = [name for name in state.pick.split(",") if name in cards and cards[name].state is State.DONE]
    return list(dict.fromkeys(names))[:MOST]


def show_box(one: Card, title: str, chosen: list[str]) -> None:
    """Show the box that chooses a run."""
    name = one.run.name
    is_full = len(chosen) >= MOST and name not in chosen
    st.session_state[f"pick.{name}"] = name in chosen
    st.checkbox(
        f"Choose {plain(title)}",
        key=f"pick.{name}",
        label_visibility="collapsed",
        disabled=one.state is not State.DONE or is_full,
        on_change=_toggle,
        args=(name,),
        help="Choose two to look at them side by side",
    )


def _toggle(name: str) -> None:
    state = get_state(RunsState)
    chosen = [one for one in state.pick.split(",") if one]
    chosen = [one for one in chosen if one != name] if name in chosen else [*chosen, name][:MOST]
    set_state(replace(state, pick=",".join(chosen)))


def show_bar(chosen: list[str], titles: Mapping[str, str], cards: Mapping[str, Card]) -> None:
    """Show at the foot of the window what is chosen, and the way to compare it."""
    shapes = {result.shape for name in chosen if (result := cards[name].result) is not None}
    if len(chosen) < FEWEST:
        words = "Tick two runs to look at them side by side."
    elif len(shapes) > 1:
        words = "Their images differ in size or colour, so they cannot stand side by side."
    else:
        words = " beside ".join(f"**{plain(titles[name])}**" for name in chosen)
    with st.container(horizontal=True, vertical_alignment="center", wrap=False, key="picked"):
        st.markdown(words, width="stretch")
        st.button("Clear selection", key="pick.none", on_click=_clear, type="tertiary", disabled=not chosen)
        with st.container(key="link-pair", width="content"):
            st.page_link(
                "explore/page.py",
                label="Open side by side →",
                query_params=to_query(ExploreState(run=chosen[0], with_=chosen[1])) if len(chosen) > 1 else None,
                disabled=len(chosen) < FEWEST or len(shapes) > 1,
            )


def _clear() -> None:
    set_state(replace(get_state(RunsState), pick=""))
