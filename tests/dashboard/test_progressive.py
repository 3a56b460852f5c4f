"""What gets better on a page: it goes on where it was, stops when asked, and keeps what it has reached."""

from __future__ import annotations

import itertools
import threading

import pytest
from streamlit.testing.v1 import AppTest

from core.errors import InputError
from dashboard.progressive import Progressive, progressive

FIRST_BAD = 2
FEW = "There are too few images: choose another data set."


def test_the_first_result_comes_alone_and_the_others_when_asked_for():
    results = Progressive(lambda: iter([1, 2, 3]))
    assert (results.newest, results.done) == (None, False)
    results.advance(60)
    assert (results.newest, results.done) == (1, False)
    results.advance(0)
    assert (results.newest, results.done) == (2, False)
    results.advance(60)
    assert (results.newest, results.done) == (3, True)
    results.advance(60)
    assert (results.newest, results.done) == (3, True)


def test_an_endless_computation_is_left_after_its_time():
    results = Progressive(itertools.count)
    for _ in range(2):
        results.advance(0.01)
    assert not results.done
    assert results.newest > 0


def fails_at_the_second():
    for number in itertools.count(1):
        if number == FIRST_BAD:
            raise InputError(FEW)
        yield number


def test_why_it_ended_early_is_kept_until_it_is_tried_again():
    results = Progressive(fails_at_the_second)
    for _ in range(2):
        results.advance(60)
    assert (results.newest, results.done, results.problem) == (1, True, FEW)
    results.restart()
    results.advance(0)
    assert (results.newest, results.done, results.problem) == (1, False, "")


def breaks():
    yield 1
    raise ZeroDivisionError


def test_what_broke_is_not_taken_for_finished():
    results = Progressive(breaks)
    results.advance(0)
    with pytest.raises(ZeroDivisionError):
        results.advance(0)
    assert results.done
    assert results.problem


def test_visitors_of_the_same_thing_share_it_and_do_not_wait_for_each_other():
    assert progressive("a", itertools.count) is progressive("a", itertools.count)
    assert progressive("a", itertools.count) is not progressive("b", itertools.count)
    reached, go = threading.Event(), threading.Event()

    def slow():
        yield 1
        reached.set()
        go.wait(60)
        yield 2

    results = Progressive(slow)
    results.advance(0)
    other = threading.Thread(target=results.advance, args=(0,))
    other.start()
    assert reached.wait(60)
    results.advance(0)  # the other visitor makes the second one: this one goes on showing the first
    assert results.newest == 1
    go.set()
    other.join()
    assert results.newest == 2


def page_of_a_failing_search():
    import streamlit as st

    from dashboard.progressive import progressive, show_progressive
    from tests.dashboard.test_progressive import fails_at_the_second

    results = progressive("search", fails_at_the_second)
    show_progressive("search", results, lambda found: (0.5, "searching"), lambda found: st.write(f"result {found}"))


def test_a_page_goes_on_saying_why_a_search_ended(monkeypatch):
    page = AppTest.from_function(page_of_a_failing_search).run().run()
    for _ in range(3):
        assert [error.value for error in page.error] == [FEW]
        assert "result 1" in page.markdown[0].value
        page.run()
    monkeypatch.setattr("tests.dashboard.test_progressive.FIRST_BAD", 10**9)
    page.button(key="restart.search").click().run()
    assert not page.error
    assert int(page.markdown[0].value.split()[1]) > 1


def page_of_counting():
    import itertools

    import streamlit as st

    from dashboard import progressive

    results = progressive.progressive("count", itertools.count)
    st.write(progressive.show_progressive("count", results, lambda n: (n / 100, f"at {n}"), st.write))


def test_stopped_it_stays_and_resumed_it_goes_on(monkeypatch):
    monkeypatch.setattr("dashboard.progressive.SECONDS", 0.0)  # one step a run
    page = AppTest.from_function(page_of_counting).run().run()
    assert [text.value for text in page.markdown] == ["`1`", "`True`"]
    page.button(key="stop.count").click().run().run()
    assert [text.value for text in page.markdown] == ["`1`", "`False`"]
    assert page.caption[0].value == "Stopped at 1%."
    page.button(key="resume.count").click().run()
    assert [text.value for text in page.markdown] == ["`2`", "`True`"]
    page.run()
    assert [text.value for text in page.markdown] == ["`3`", "`True`"]
