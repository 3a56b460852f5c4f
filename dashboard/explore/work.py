"""Long work in small parts, between which a page answers: a part of it a run, until it is done or stopped.

A run of a fragment is not broken off by what people do meanwhile, so each does a fraction of a second of the work and
asks for the next one. What was reached stays on the screen; stopping is simply not asking for more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import streamlit as st

from core.errors import InputError

T = TypeVar("T")

# How long one run may work, and how soon the next one comes.
SECONDS, PAUSE = 0.4, 0.1


@dataclass
class Work(Generic[T]):
    """Ever better results of one thing.

    Attributes
    ----------
    what
        Names everything that decides the result: another name is another work.
    steps
        What makes them.
    latest
        The best one so far; None before the first.
    state
        "running", "stopped" or "done".
    problem
        Why it ended early, in a sentence for people; "" otherwise.
    """

    what: str
    steps: Iterator[T]
    latest: T | None = None
    state: str = "running"
    problem: str = ""

    def go_on(self, seconds: float) -> None:
        """Make further results for about so long."""
        until = time.monotonic() + seconds
        while self.state == "running" and time.monotonic() < until:
            try:
                self.latest = next(self.steps)
            except StopIteration:
                self.state = "done"
            except InputError as error:
                self.state, self.problem = "done", str(error)

    def stop(self) -> None:
        """Leave it at what there is."""
        self.state = "stopped"

    def resume(self) -> None:
        """Take it up again."""
        self.state = "running"


def work_shown_by(name: str, what: str, start: Callable[[], Iterator[T]], show: Callable[[Work[T]], None]) -> None:
    """Show a work, and go on with it while it is shown.

    Parameters
    ----------
    name
        Names its place on the page.
    what
        Names the work, see `Work`.
    start
        Begins it.
    show
        Draws what there is; called in a fragment, again and again.
    """
    key = f"work.{name}"
    work = st.session_state.get(key)
    if work is None or work.what != what:
        work = st.session_state[key] = Work(what, start())

    def part() -> None:
        running = work.state == "running"
        work.go_on(SECONDS)
        if work.problem:
            st.error(work.problem)
        show(work)
        if running and work.state != "running":
            st.rerun()  # so that this part of the page is not asked for any more

    st.fragment(run_every=PAUSE if work.state == "running" else None)(part)()


def progress_line(work: Work, share: float, text: str, key: str) -> None:
    """Show how far a work is, with a way to stop it; where it was stopped, a way to take it up again."""
    if work.state == "done":
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"line.{key}"):
        if work.state == "running":
            st.progress(min(max(share, 0.0), 1.0), text=text)
            st.button("Stop", key=f"stop.{key}", on_click=work.stop, type="tertiary")
        else:
            st.caption(f"Stopped at {share:.0%}.")
            st.button("Go on", key=f"resume.{key}", on_click=work.resume, type="tertiary")
