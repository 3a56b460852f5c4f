"""Compare: each attack with its own trigger, its numbers in one table, its slice on one scale; and its link."""

from __future__ import annotations

import csv
import io
import shutil

import pytest

from core.attacks.triggers import make_preset
from core.runs.jobs.worker import train_run
from core.runs.measured.compared import compared
from core.runs.run import Run
from dashboard.compare.table import csv_of
from tests.conftest import digits_spec
from tests.dashboard.test_runs import html, words


@pytest.fixture(scope="session")
def framed(runs_root, data_root):
    """Return another attack on the digits, of the same control."""
    return train_run(digits_spec(trigger=make_preset("frame", (1, 8, 8)), epochs=2), runs_root, data_root)


@pytest.fixture
def two_attacks(own_runs, framed):
    shutil.copytree(framed.path, own_runs / framed.name)
    return own_runs


def measured(page):
    """Come back as the browser does, until everything is measured."""
    for _ in range(200):
        if not any((one.key or "").startswith("stop.") for one in page.button):
            return page
        page.run()
    raise AssertionError("it goes on and on")


def test_each_attack_has_its_own_trigger_and_numbers(visit, two_attacks, poisoned, framed, monkeypatch):
    monkeypatch.setattr("dashboard.compare.sweep.sweep_sigmas", lambda shape: [0.5])
    page = measured(visit("compare", runs=f"{poisoned.name},{framed.name}"))
    shown = html(page)
    assert shown.index('alt="The trigger: white-corner"') < shown.index('alt="The trigger: frame"')
    for run in (poisoned, framed):
        rate = run.result.attack_success_rate
        assert f"<b>{rate.value:.1%}</b> <span>{rate.count} of {rate.n}</span>" in shown
    assert shown.count("not run") == 2
    assert "They also differ in length of training" in words(page)
    assert len(page.get("plotly_chart")) == 1
    done = [Run(two_attacks / run.name).finished() for run in (poisoned, framed)]
    rows = list(csv.DictReader(io.StringIO(csv_of([compared(run.trigger.name, run, level=2) for run in done]))))
    assert [row["attack"] for row in rows] == ["white-corner", "frame"]
    # The control of the second was never trained: it would be of another length.
    assert [row["gap beyond control"] != "" for row in rows] == [True, False]
    assert page.query_params["runs"] == f"{poisoned.name},{framed.name}"


def test_a_link_to_what_is_not_here_says_so(visit, home_with_runs, poisoned, control):
    page = visit("compare", runs=f"{poisoned.name},{control.name},<b>x", level="9")
    assert "have no trigger of their own" in words(page)
    assert "Choose at least two attacks" in words(page)
    assert page.multiselect[0].value == [poisoned.name]
