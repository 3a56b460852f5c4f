"""What gets better while people look at it: a generator of results, shown, stopped and resumed between its steps.

A page never waits for a long computation. It shows the newest result in a fragment, which does a fraction of a second
of the work and is run again. Stopping is simply not asking for more: what was reached stays on the screen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import streamlit as st

from core.errors import InputError
from dashboard.markdown import show_error

Result = TypeVar("Result")

# How long one run of a fragment may work, and how soon the next one comes.
SECONDS, PAUSE = 0.4, 0.1


class Progressive(Generic[Result]):
    """The newest of a generator's ever better results, for everybody who looks at it: each may ask for more.

    Parameters
    ----------
    start
        Makes the generator when the first result is asked for. Neither may draw on the page: a click would break it
        off there, for everybody.

    Attributes
    ----------
    newest
        The best result so far; None before the first.
    done
        Whether there will be no better one.
    problem
        Why it ended early, in a sentence for people; "" otherwise.
    """

    def __init__(self, start: Callable[[], Iterator[Result]]) -> None:
        self._start, self._steps, self._lock = start, None, threading.Lock()
        self.newest: Result | None = None
        self.done, self.problem = False, ""

    def advance(self, seconds: float) -> None:
        """Make better results for about this long, at least one if there is one; the first one alone.

        Where another visitor is making one now, only the first result is waited for.
        """
        until = time.monotonic() + (seconds if self.newest is not None else 0.0)
        if not self._lock.acquire(blocking=self.newest is None):
            return
        try:
            while not self.done:
                self._step()
                if time.monotonic() >= until:
                    return
        finally:
            self._lock.release()

    def first(self) -> Result | None:
        """Return the newest result, after making the first one if there is none; None after a problem."""
        if self.newest is None:
            self.advance(0)
        return self.newest

    def last(self) -> Result | None:
        """Return the best result, after making all that come before it; None after a problem at the first."""
        with self._lock:
            while not self.done:
                self._step()
        return self.newest

    def restart(self) -> None:
        """Begin anew after a problem."""
        with self._lock:
            self._steps, self.done, self.problem = None, False, ""

    def _step(self) -> None:
        try:
            self._steps = self._start() if self._steps is None else self._steps
            self.newest = next(self._steps)
        except StopIteration:
            self.done = True
        except InputError as error:
            self.done, self.problem = True, str(error)
        except Exception:
            self.done, self.problem = True, "This computation failed: the server's log says why."
            raise


@st.cache_resource(max_entries=128, show_spinner=False)
def progressive(what: str, _start: Callable[[], Iterator[Result]]) -> Progressive[Result]:
    """Return the results of one thing, the same for all visitors.

    Parameters
    ----------
    what
        Names everything that decides the results: runs, spec, images.
    _start
        Makes the generator, see `Progressive`.
    """
    return Progressive(_start)


def poll(show: Callable[[], None], is_moving: Callable[[], bool], pause: float = PAUSE) -> bool:
    """Show a part of the page, again and again as long as something moves in it; return whether it does.

    Only while it moves is it a fragment. When it ceases the whole page is run: nothing else makes the browser stop
    asking, and Resume, pressed outside a fragment, brings the fragment back.
    """
    if not is_moving():
        show()
        return False

    def part() -> None:
        show()
        if not is_moving():
            st.rerun()

    st.fragment(run_every=pause)(part)()
    return True


def is_moving(place: str, results: Progressive) -> bool:
    """Say whether this visitor is waiting for better results: not when they are done, nor after Stop."""
    return not results.done and st.session_state.get(_stop_key(place)) is not results


def show_progressive(
    place: str,
    results: Progressive[Result],
    progress: Callable[[Result], tuple[float, str]],
    show: Callable[[Result], None],
    summary: Callable[[Result], None] | None = None,
) -> bool:
    """Show the newest result, and make better ones until they are done or people press Stop.

    Parameters
    ----------
    place
        Names the place on the page; another thing in the same place is not stopped with it.
    results
        What is shown.
    progress
        From a result to the share done, from 0 to 1, and what is being done.
    show
        Draws a result; called again and again.
    summary
        Draws, where the progress was, what the finished result is made of.

    Returns
    -------
    bool
        Whether better results are on their way.
    """
    if is_moving(place, results):
        results.advance(SECONDS)
    shown_before = False

    def part() -> None:
        nonlocal shown_before
        if shown_before and is_moving(place, results):
            results.advance(SECONDS)
        shown_before = True
        if results.problem:
            show_error(results.problem)
            st.button("Try again", key=f"restart.{place}", on_click=results.restart, type="tertiary")
        if results.newest is None:
            return
        # Of one height throughout, so that what is below does not jump.
        with st.container(height=52, border=False) if summary else st.container():
            if not results.done:
                progress_line(place, results, *progress(results.newest))
            elif summary:
                summary(results.newest)
        show(results.newest)

    return poll(part, lambda: is_moving(place, results))


def progress_line(place: str, results: Progressive, share: float, doing: str) -> None:
    """Show how far results are and a way to stop them; once they were stopped, a way to resume."""
    key = _stop_key(place)
    with st.container(horizontal=True, vertical_alignment="center", key=f"line.{place}"):
        if is_moving(place, results):
            st.progress(min(max(share, 0.0), 1.0), text=doing)
            st.button("Stop", key=f"stop.{place}", on_click=_set, args=(key, results), type="tertiary")
        else:
            st.caption(f"Stopped at {share:.0%}.")
            st.button("Resume", key=f"resume.{place}", on_click=_set, args=(key, None), type="tertiary")


def asked_for(place: str, what: str, button: str, help_text: str) -> bool:
    """Show the button that begins a computation; say whether it was pressed for this very one."""
    key = f"asked.{place}"
    if st.button(button, key=f"begin.{place}", type="primary", help=help_text):
        st.session_state[key] = what
        _set(_stop_key(place), None)
    return st.session_state.get(key) == what


def _stop_key(place: str) -> str:
    return f"stopped.{place}"


def _set(key: str, value: Progressive | None) -> None:
    st.session_state[key] = value
