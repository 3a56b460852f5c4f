"""A new detector and a new trigger are one file and one line each: the pages and the command line know them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from core.attacks.triggers import from_link
from core.attacks.triggers.registry import KINDS
from core.cli import make_app
from core.instruments.detectors import DETECTORS
from core.runs.root import load_run

HERE = Path(__file__).parents[1]


def toy(name: str, monkeypatch):
    """Return the one class that a file in tests/toys defines."""
    spec = importlib.util.spec_from_file_location(f"toys_{name}", HERE / "toys" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return getattr(module, name.capitalize())


@pytest.fixture
def brightness(monkeypatch):
    registered = dict(DETECTORS)
    DETECTORS.clear()  # one other is company enough
    DETECTORS.update(confidence=registered["confidence"], brightness=toy("brightness", monkeypatch))
    yield
    DETECTORS.clear()
    DETECTORS.update(registered)  # in their order, which the pages keep


@pytest.fixture
def rows(monkeypatch):
    kind = toy("rows", monkeypatch)
    monkeypatch.setitem(KINDS, "rows", kind)
    return kind


def run_command(runs_root, data_root, *words):
    done = CliRunner().invoke(make_app(), [*map(str, words), "--runs", str(runs_root), "--data-root", str(data_root)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_line_knows_a_new_detector_and_its_settings(brightness, poisoned, runs_root, data_root):
    areas = [
        json.loads(run_command(runs_root, data_root, "detect", poisoned.path, "--json", *words))["detectors"]
        for words in ((), ("--brightness-power", 4))
    ]
    for found in areas:
        assert list(found) == ["confidence", "brightness"]
        assert found["brightness"]["auc_against_other_classes"]["mean"] > 0.5  # the trigger is a white corner
        assert found["brightness"]["fails"] == "Dark triggers."
    assert areas[0]["brightness"] != areas[1]["brightness"]
    assert areas[0]["confidence"] == areas[1]["confidence"]


def test_the_page_draws_a_new_detector_and_its_settings(brightness, poisoned, home_with_runs):
    page = AppTest.from_file(str(HERE / "dashboard" / "apps" / "panels_app.py"), default_timeout=120)
    page.query_params = {"run": poisoned.name}
    page.run()
    setting = page.number_input(key="detectors.brightness.power")
    assert (setting.label, setting.value, setting.min, setting.max) == ("Power of the pixels", 1, 1, 4)
    setting.set_value(2).run()
    page.button(key="begin.detectors").click().run()
    for _ in range(100):
        if not any(button.label == "Stop" for button in page.button):
            break
        page.run()
    assert not page.exception
    assert page.dataframe[0].value["detector"].tolist() == ["Largest softmax", "Brightness"]


def test_a_model_that_does_not_suit_is_left_out_with_its_sentence(brightness, monkeypatch, poisoned, data_root):
    from core.attacks.attack import Attack
    from core.attacks.triggers import make_preset
    from core.datasets import Dataset, Split
    from core.instruments.detectors.comparison import ComparisonSpec, compare_detectors
    from core.instruments.detectors.detector import Suspect
    from core.instruments.predictor import Predictor

    grey = poisoned.dataset(data_root)
    splits = [Split(part.images.expand(-1, 3, -1, -1), part.labels) for part in (grey.train, grey.test)]
    colour = Dataset("colour", grey.classes, *splits, "colour-1")
    spec = ComparisonSpec(Attack(trigger=make_preset("white-corner", (3, 8, 8)), target=0), 0.5, draws=2, images=10)
    model = lambda images: images.flatten(1)[:, :10]  # noqa: E731
    *_, found = compare_detectors(Suspect(model, Predictor(model), colour, spec))
    assert found.left_out == {"brightness": "Brightness is compared on grey images only."}
    assert list(found.by_image) == ["confidence"]


def test_the_command_line_trains_with_a_new_trigger(rows, tmp_path, data_root):
    trained = json.loads(run_command(tmp_path, data_root, "train", "--trigger", "rows", "--epochs", 1, "--json"))
    assert trained["trigger"] == "rows"
    run = load_run(Path(trained["run"]).name, tmp_path)
    assert run.spec.attack.trigger == rows()
    assert from_link(run.spec.attack.trigger.to_link()) == rows()


def test_the_lab_draws_a_new_trigger_and_its_settings(rows, visit, home):
    page = visit("lab")
    page.button_group(key="LabState.trigger_source").set_value("formula").run()
    page.button_group(key="formula.kind").set_value("rows").run()
    assert "Makes every second row brighter." in [caption.value for caption in page.caption]
    page.slider(key="formula.rows.step").set_value(0.8).run()
    assert page.query_params["trigger"] == "rows~0.8"


@pytest.mark.parametrize("name", ["brightness", "rows"])
def test_contributing_shows_these_very_files_and_they_are_short(name):
    source = (HERE / "toys" / f"{name}.py").read_text()
    assert len(source.splitlines()) < 30
    assert source in (HERE.parent / "CONTRIBUTING.md").read_text()
