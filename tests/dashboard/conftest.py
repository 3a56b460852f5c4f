"""Pages without a browser: a home of their own for runs and data, empty caches, and no worker processes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from core.runs.jobs.queue import Queue

APP = Path(__file__).parents[2] / "dashboard" / "app.py"


@pytest.fixture(autouse=True)
def fresh_server(monkeypatch):
    """Start each test like a new server, whose jobs wait: whoever wants one done does it in the test."""
    monkeypatch.setattr(Queue, "_start_worker", lambda jobs: None)
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def home(tmp_path, data_root, monkeypatch):
    """An empty folder for runs; the shipped examples are not listed, since they need a data set that takes long."""
    monkeypatch.setenv("TRIGGERSCOPE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("TRIGGERSCOPE_DATA", str(data_root))
    monkeypatch.setattr("dashboard.parts.titles.EXAMPLES", tmp_path / "no examples")
    monkeypatch.setattr("dashboard.parts.titles.GALLERY", tmp_path / "no gallery")
    return tmp_path / "runs"


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory, poisoned, control):
    """A folder with a poisoned digits run and its control, which keeps what was measured on them for the next test."""
    folder = tmp_path_factory.mktemp("two runs")
    for run in (control, poisoned):
        shutil.copytree(run.path, folder / run.name)
    return folder


@pytest.fixture
def home_with_runs(home, two_runs, monkeypatch):
    """The home of a poisoned digits run and its control; to be read only."""
    monkeypatch.setenv("TRIGGERSCOPE_RUNS", str(two_runs))
    return two_runs


@pytest.fixture
def own_runs(home, two_runs):
    """The same for one test alone, which may change it."""
    for run in two_runs.glob("*/spec.json"):
        shutil.copytree(run.parent, home / run.parent.name)
    return home


def settled(page: AppTest) -> AppTest:
    """Come back as the browser does until Explore has all draws, for which what is below waits."""
    for _ in range(100):
        if not any(button.key == "stop.smoothness" for button in page.button):
            return page
        page.run()
    raise AssertionError("it goes on and on")


@pytest.fixture
def visit():
    """Open a page as somebody with a link does, and see to it that no page ends in a stack trace."""
    opened = []

    def visit_page(name: str, seconds: float = 60, **query: str) -> AppTest:
        page = AppTest.from_file(str(APP), default_timeout=seconds)
        # A link opens a page at once; `switch_page` finds one of another name than its file only after a first run.
        page._page_hash = calc_hash("" if name == "start" else name)
        page.query_params = query
        opened.append(page)
        return settled(page.run())

    yield visit_page
    for page in opened:
        assert [error.message for error in page.exception] == []
