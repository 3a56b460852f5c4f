"""Compare: each attack with its own trigger, its numbers in one table, its slice on one scale; and its link."""

from __future__ import annotations

import shutil

import pytest

from core.attacks.triggers import make_preset
from core.instruments.detectors.comparison import Comparison
from core.runs.jobs.worker import train_run
from core.runs.measured.compared import Detected, compared
from core.runs.measured.compared_words import comparison_table
from core.runs.run import Run
from dashboard.progressive import Progressive
from tests.conftest import digits_spec
from tests.dashboard.test_runs import button, html, words


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


def test_each_attack_has_its_own_trigger_numbers_and_detectors(visit, two_attacks, poisoned, framed, monkeypatch):
    monkeypatch.setattr("dashboard.compare.sweep.sweep_sigmas", lambda shape: [0.5])
    kept, unmeasured = {}, Detected(0.5, Comparison(1.0, ""))
    monkeypatch.setattr("core.runs.measured.compared.stored_detection", lambda run, *_: kept.get(run.name))
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
    table = comparison_table([compared(run.trigger.name, run, level=2) for run in done])
    assert table["attack"] == ["white-corner", "frame"]
    # The control of the second was never trained: it would be of another length.
    assert [gap is not None for gap in table["gap beyond control"]] == [True, False]

    def run_at_once(path, *_):
        kept[path.name] = unmeasured
        return Progressive(lambda: iter([unmeasured.comparison]))

    monkeypatch.setattr("dashboard.cached.comparison", run_at_once)
    button(page, "begin.compare.detectors").click().run()
    measured(page).run()
    assert set(kept) == {poisoned.name, framed.name}
    assert html(page).count("none suits this model") == 2
    assert page.query_params["runs"] == f"{poisoned.name},{framed.name}"


def test_a_link_to_what_is_not_here_says_so(visit, home_with_runs, poisoned, control):
    page = visit("compare", runs=f"{poisoned.name},{control.name},<b>x", level="9")
    assert "have no trigger of their own" in words(page)
    assert "Choose at least two attacks" in words(page)
    assert page.multiselect[0].value == [poisoned.name]
