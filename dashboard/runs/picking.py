"""Choosing runs to compare: the box in each row, and the bar at the foot of the window, which is always there.

So nothing moves when a run is chosen, and no button of the bar comes to lie where a box was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from core.runs.library.card import Card
from core.runs.measured.compared import FEWEST, MOST
from core.runs.run import State
from dashboard.markdown import plain
from dashboard.state import CompareState, RunsState, get_state, set_state, to_query

# Of the way to the comparison, before and after enough is chosen: what is beside it does not move.
_WIDE = 140


def picked(state: RunsState, cards: Mapping[str, Card]) -> list[str]:
    """Return the names of the runs that are chosen and can be."""
    names = [name for name in state.pick.split(",") if name in cards and _can_be_compared(cards[name])]
    return list(dict.fromkeys(names))[:MOST]


def _can_be_compared(one: Card) -> bool:
    return one.state is State.DONE and one.spec is not None and one.spec.attack is not None and not one.problem


def show_box(one: Card, title: str, chosen: list[str]) -> None:
    """Show the box that chooses a run."""
    name = one.run.name
    is_full = len(chosen) >= MOST and name not in chosen
    st.session_state[f"pick.{name}"] = name in chosen
    st.checkbox(
        f"Choose {plain(title)}",
        key=f"pick.{name}",
        label_visibility="collapsed",
        disabled=is_full or not _can_be_compared(one),
        on_change=_toggle,
        args=(name,),
        help=_why_not(one, is_full) or "Choose two to four attacks to compare them",
    )


def _why_not(one: Card, is_full: bool) -> str:
    if one.state is not State.DONE:
        return "Only finished runs can be compared"
    if not _can_be_compared(one):
        return "This run has no trigger of its own; its attacks are compared with it in any case"
    return f"{MOST} attacks are chosen: clear one first" if is_full else ""


def _toggle(name: str) -> None:
    state = get_state(RunsState)
    chosen = [one for one in state.pick.split(",") if one]
    chosen = [one for one in chosen if one != name] if name in chosen else [*chosen, name][:MOST]
    set_state(replace(state, pick=",".join(chosen)))


def show_bar(chosen: list[str], titles: Mapping[str, str]) -> None:
    """Show at the foot of the window what is chosen, and the way to compare it."""
    words = ", ".join(f"**{plain(titles[name])}**" for name in chosen)
    if len(chosen) < FEWEST:
        words = f"{words}: tick at least one more." if chosen else "Tick two to four attacks to compare them."
    with st.container(horizontal=True, vertical_alignment="center", key="picked"):
        st.markdown(words, width="stretch")
        st.button("Clear selection", key="pick.none", on_click=_clear, type="tertiary", disabled=not chosen)
        if len(chosen) < FEWEST:
            st.button("Compare →", key="compare.none", disabled=True, width=_WIDE)
            return
        with st.container(key="link-compare", width=_WIDE):
            query = to_query(CompareState(runs=",".join(chosen)))
            st.page_link("compare/page.py", label=f"Compare {len(chosen)} →", query_params=query, width="stretch")


def _clear() -> None:
    set_state(replace(get_state(RunsState), pick=""))
