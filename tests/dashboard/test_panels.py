"""The panels on patterns and detectors: nothing before it is asked for, and then the computation's own numbers."""

from __future__ import annotations

import shutil
from html import escape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from core.attacks.patterns import PATTERNS, PatternSpec
from core.attacks.triggers import from_link
from core.instruments.detectors import DETECTORS
from core.instruments.detectors.comparison import ComparisonSpec
from core.runs.measured.detectors import comparison_name, detect_run
from core.runs.measured.patterns import EffectSpec, measure_pattern
from core.runs.root import load_run

APP = Path(__file__).parent / "apps" / "panels_app.py"


@pytest.fixture
def show(home_with_runs):
    def panels(run) -> AppTest:
        page = AppTest.from_file(str(APP), default_timeout=120)
        page.query_params = {"run": run.name}
        return page.run()

    return panels


def press(page: AppTest, key: str) -> None:
    page.button(key=key).click().run()


def until_done(page: AppTest) -> None:
    """Come back as the browser does until there is nothing more to come."""
    for _ in range(400):
        if not any(button.label == "Stop" for button in page.button):
            return
        page.run()
    raise AssertionError("it goes on and on")


def sentences(page: AppTest) -> str:
    return " ".join(element.value for element in [*page.markdown, *page.caption, *page.info, *page.error])


def test_nothing_is_computed_before_it_is_asked_for(show, poisoned):
    page = show(poisoned)
    assert not page.exception
    assert [button.label for button in page.button] == ["Run the detectors", "Search and measure"]
    assert not page.dataframe
    assert not page.get("plotly_chart")


def test_detectors_show_what_was_computed(show, poisoned, home_with_runs, data_root):
    run = load_run(poisoned.name, home_with_runs)
    spec = ComparisonSpec(run.spec.attack, 0.5)
    *_, found = detect_run(poisoned, spec, data_root)
    stored = Path("measures") / f"detect-{comparison_name(spec)}.json"
    (run.path / "measures").mkdir(exist_ok=True)
    shutil.copy(poisoned.path / stored, run.path / stored)  # it takes long, and other tests have it too
    page = show(poisoned)
    press(page, "begin.detectors")
    until_done(page)
    assert not page.exception
    assert len(page.get("plotly_chart")) == 2
    table = page.dataframe[0].value
    assert table["detector"].tolist() == [DETECTORS[name].title for name in found.by_image]
    area = found.by_image["strip"].against_target.auc
    assert table["AUC, target class"][1] == f"{area.value:.2f} [{area.low:.2f}, {area.high:.2f}]"
    flagged = found.by_image["smoothness"].flagged.false_positive_target
    assert table["flagged: target"][0] == f"{flagged.value:.0%} of {flagged.n}"
    words = " ".join(part.proto.body for part in page.get("html"))
    assert all(escape(DETECTORS[name].fails) in words for name in found.by_image)
    assert "Neural Cleanse" in sentences(page)


def test_detectors_can_be_stopped_and_taken_up_again(show, poisoned):
    page = show(poisoned)
    page.select_slider(key="detectors.sigma").set_value(0.25).run()
    press(page, "begin.detectors")
    press(page, "stop.detectors")
    assert "Stopped at" in sentences(page)
    before = len(page.dataframe[0].value) if page.dataframe else 0
    page.run()
    assert (len(page.dataframe[0].value) if page.dataframe else 0) == before
    press(page, "resume.detectors")
    assert any(button.label == "Stop" for button in page.button) or page.dataframe


def test_a_control_has_nothing_to_detect_but_patterns_to_search(show, control):
    page = show(control)
    assert "nothing to detect" in sentences(page)
    assert "The trigger itself" not in page.selectbox(key="patterns.kind").options
    assert "Crafted smooth" in page.selectbox(key="patterns.kind").options


def test_a_pattern_shows_its_settings_and_a_patch_starts_at_the_runs_target(show, poisoned):
    page = show(poisoned)
    for name in ("patch", "blur"):
        kind = PATTERNS[name]
        page.selectbox(key="patterns.kind").set_value(name).run()
        assert not page.exception
        assert not page.error
        keys = {widget.key for widget in [*page.slider, *page.selectbox]}
        assert {f"patterns.{name}.{field}" for field in kind.model_fields} <= keys
        if name == "patch":
            assert page.selectbox(key="patterns.patch.target").value == 0
            assert "any other" not in page.selectbox(key="patterns.patch.target").options


def test_a_pattern_is_searched_measured_and_can_be_opened(show, control, home_with_runs, data_root):
    page = show(control)
    page.selectbox(key="patterns.kind").set_value("universal").run()
    page.selectbox(key="patterns.universal.target").set_value(3).run()
    press(page, "begin.patterns")
    until_done(page)
    assert not page.exception
    run = load_run(control.name, home_with_runs)
    spec = EffectSpec(PatternSpec("universal", {"target": 3}, 0.5), 0.5)
    (found,) = measure_pattern(run, spec, data_root)  # one step: the page has stored it
    effect = found.effects[0]
    assert f"W {effect.w_clean.value:.2f} → {effect.w_with.value:.2f}" in sentences(page)
    assert f"gets {effect.modal_share:.0%} of all noisy predictions" in sentences(page)
    assert page.dataframe[0].value["gap"][0].startswith(f"{effect.gap.value:+.3f}")
    assert page.dataframe[0].value["pattern"].tolist() == ["Universal adversarial", "Random, equal norm"]
    links = [link.proto.url for link in page.get("link_button")]
    assert [link.split("?")[0] for link in links] == ["explore", "lab"]
    assert from_link(parse_qs(urlsplit(links[1]).query)["trigger"][0]) == found.trigger
