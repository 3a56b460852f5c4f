"""Long work in parts: it goes on where it was, stops when asked, and keeps what it has reached."""

from __future__ import annotations

import itertools

from streamlit.testing.v1 import AppTest

from core.errors import InputError
from dashboard.explore.work import Work
from dashboard.growing import Growing


def test_work_goes_on_until_it_is_done_or_stopped():
    work = Work("count", iter(range(3)))
    work.go_on(60)
    assert (work.latest, work.state) == (2, "done")
    endless = Work("count", itertools.count())
    endless.go_on(0.01)
    reached = endless.latest
    assert endless.state == "running"
    endless.stop()
    endless.go_on(0.01)
    assert (endless.latest, endless.state) == (reached, "stopped")
    endless.resume()
    endless.go_on(0.01)
    assert endless.latest > reached


def fails_at_the_second():
    yield 1
    raise InputError("There are too few images: choose another data set.")


def test_why_work_ended_early_is_kept():
    work = Work("count", fails_at_the_second())
    work.go_on(60)
    assert (work.latest, work.state, work.problem) == (1, "done", "There are too few images: choose another data set.")
    growing = Growing(fails_at_the_second())
    growing.advance(60)
    assert (growing.newest, growing.done, growing.problem) == (1, True, work.problem)


def page_of_a_failing_search():
    import streamlit as st

    from dashboard.explore.progress import show_growing
    from dashboard.growing import Growing
    from tests.runs.test_work import fails_at_the_second

    growing = st.session_state.setdefault("growing", Growing(fails_at_the_second()))
    show_growing("search", growing, lambda found: (0.5, "searching"), lambda found: st.write(f"result {found}"))


def test_a_page_goes_on_saying_why_a_search_ended():
    page = AppTest.from_function(page_of_a_failing_search).run()
    for _ in range(3):
        assert [error.value for error in page.error] == ["There are too few images: choose another data set."]
        assert "result 1" in page.markdown[0].value
        page.run()
