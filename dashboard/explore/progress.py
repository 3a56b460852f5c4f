"""Long computations inside a page: asked for by a button, going on a little in each run, stopped by not asking."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from dashboard.growing import Growing

T = TypeVar("T")

# How long one run may work, and how soon the next one comes.
SECONDS, PAUSE = 0.4, 0.1


def asked_for(panel: str, name: str, button: str, help_text: str) -> bool:
    """Show the button that begins a computation; say whether this very one was asked for."""
    key = f"asked.{panel}"
    if st.button(button, key=f"begin.{panel}", type="primary", help=help_text):
        st.session_state[key] = name
        st.session_state.pop(f"stopped.{panel}", None)
    return st.session_state.get(key) == name


def show_growing(
    panel: str, growing: Growing[T], progress: Callable[[T], tuple[float, str]], show: Callable[[T], None]
) -> None:
    """Show the newest result and go on with it in a fragment of its own, until it is done or stopped.

    Parameters
    ----------
    panel
        Names the place on the page.
    growing
        The results, shared by all who look at them.
    progress
        From a result to the share done and what is under way.
    show
        Draws a result.
    """
    stopped = f"stopped.{panel}"

    def stop() -> None:
        st.session_state[stopped] = True

    def go_on() -> None:
        st.session_state.pop(stopped, None)

    def part() -> None:
        running = not growing.done and stopped not in st.session_state
        if running:
            growing.advance(SECONDS)
        if growing.problem:
            st.error(growing.problem)
        with st.container(horizontal=True, vertical_alignment="center", key=f"line.{panel}"):
            share, doing = progress(growing.newest)
            if not growing.done and running:
                st.progress(min(max(share, 0.0), 1.0), text=doing)
                st.button("Stop", key=f"stop.{panel}", on_click=stop, type="tertiary")
            elif not growing.done:
                st.caption(f"Stopped at {share:.0%}.")
                st.button("Go on", key=f"resume.{panel}", on_click=go_on, type="tertiary")
        show(growing.newest)
        if running and growing.done:
            st.rerun()  # so that this part of the page is not asked for any more

    going = not growing.done and stopped not in st.session_state
    st.fragment(run_every=PAUSE if going else None)(part)()
