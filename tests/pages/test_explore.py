"""Explore: the finding is the measurement's, and neither a link nor a damaged run takes the page down."""

from __future__ import annotations

import io
import re
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from core.datasets import fingerprint
from core.examples import EXAMPLES
from core.measurement import measure_run, page_measure_spec
from core.runs import Run
from core.spec import make_spec
from core.triggers import make_preset
from core.worker import train_run


def chosen(page) -> dict[str, object]:
    boxes = [*page.selectbox, *page.select_slider]
    return {box.label.split(",")[0]: box.value for box in boxes}


def sentences(page) -> str:
    return " ".join(element.value for element in [*page.error, *page.warning, *page.info])


def finding(page) -> str:
    return next(element.value for element in page.markdown if " with the trigger" in element.value)


def expected_change(run, data_root, sigma: float) -> str:
    measured = measure_run(run, page_measure_spec(run.trigger, run.spec.target, sigma), data_root)
    return f"W falls with the trigger: **{measured.clean.mean.mean:.2f} → {measured.triggered.mean.mean:.2f}**"


def test_without_runs_it_says_where_they_come_from(visit, home):
    page = visit("explore")
    assert "There is no finished run yet" in sentences(page)
    assert len(page.get("page_link")) == 1


def test_a_run_stands_beside_its_control(visit, home_with_runs, poisoned, control, data_root):
    page = visit("explore")
    assert chosen(page)["Run"] == poisoned.name
    assert chosen(page)["Beside it"] == control.name
    assert expected_change(poisoned, data_root, 0.5) in finding(page)
    gap = re.search(r"Beside it the gap is ([+-][\d.]+) ", finding(page))
    assert abs(float(gap[1])) < 0.1
    assert len(page.get("plotly_chart")) == 3
    assert page.query_params["run"] == poisoned.name


def test_another_sigma_gives_another_finding(visit, home_with_runs, poisoned, data_root):
    page = visit("explore")
    page.select_slider[0].set_value(0.75).run()
    assert expected_change(poisoned, data_root, 0.75) in finding(page)
    assert expected_change(poisoned, data_root, 0.75) != expected_change(poisoned, data_root, 0.5)
    assert page.query_params["sigma"] == "0.75"


def test_a_control_alone_asks_for_a_poisoned_run(visit, home_with_runs, poisoned, control):
    page = visit("explore", run=control.name)
    assert "This run is a control" in sentences(page)
    page.selectbox[0].set_value(poisoned.name).run()
    assert sentences(page) == ""
    assert chosen(page)["Beside it"] == control.name


def test_another_run_comes_with_its_own_control(visit, own_runs, poisoned, data_root):
    page = visit("explore", run=poisoned.name)
    sigma = chosen(page)["Noise σ"]
    second = train_run(make_spec(**poisoned.spec.model_dump() | {"seed": 1, "epochs": 1}), own_runs, data_root)
    own = train_run(second.spec.control(), own_runs, data_root)
    for run in (second, own):  # which numbers they show does not matter here, and measuring takes long
        shutil.copytree(own_runs / poisoned.name / "measures", run.path / "measures")
    page.run()
    page.selectbox[0].set_value(second.name).run()
    assert chosen(page)["Beside it"] == own.name
    assert chosen(page)["Noise σ"] == sigma
    assert "seed 1" in finding(page)


def test_a_run_on_other_images_gets_a_sigma_that_suits_them(visit, own_runs, poisoned, tmp_path, data_root):
    make_zip(tmp_path / "shades.zip")
    name = f"zip:{tmp_path / 'shades.zip'}"
    trigger = make_preset("white-corner", (1, 16, 16))
    spec = make_spec(
        dataset=name, fingerprint=fingerprint(name), trigger=trigger, target=0, rate=0.1, epochs=1, threads=1
    )
    other = train_run(spec, own_runs, data_root)
    page = visit("explore", run=poisoned.name)
    page.selectbox[0].set_value(other.name).run()
    assert chosen(page)["Noise σ"] == 0.25  # the middle of its sweep: noise of length 4 on 16x16 pixels
    page.selectbox[0].set_value(poisoned.name).run()
    assert chosen(page)["Noise σ"] == 0.5


def make_zip(path) -> None:
    """Write dark and light images of 16x16 grey pixels, 40 of each."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for shade, name in ((60, "dark"), (180, "light")):
            for number in range(40):
                picture = io.BytesIO()
                pixels = (shade + rng.integers(-40, 40, (16, 16))).astype(np.uint8)
                Image.fromarray(pixels, "L").save(picture, "PNG")
                archive.writestr(f"{name}/{number}.png", picture.getvalue())


@pytest.mark.parametrize(
    "query",
    [
        {"sigma": "nan"},
        {"sigma": "-5"},
        {"sigma": "1e9"},
        {"image": "99999"},
        {"image": "first"},
        {"with": "nope"},
        {"run": "nope", "with": "nope", "colour": "green"},
    ],
)
def test_what_cannot_be_used_in_a_link_is_left_out(visit, home_with_runs, poisoned, control, query):
    page = visit("explore", **query)
    assert chosen(page)["Run"] == poisoned.name
    assert chosen(page)["Beside it"] == control.name
    assert ("is not on this machine" in sentences(page)) == ("run" in query)
    assert "with the trigger: **" in finding(page)


@pytest.mark.parametrize("file", ["spec.json", "result.json"])
def test_a_damaged_run_does_not_hide_the_others(visit, own_runs, poisoned, file):
    damaged = own_runs / "0123456789ab"
    shutil.copytree(poisoned.path, damaged)
    (damaged / file).write_text("{")
    page = visit("explore")
    assert chosen(page)["Run"] == poisoned.name
    assert "W falls with the trigger" in finding(page)


def test_missing_weights_give_a_sentence(visit, own_runs, poisoned):
    shutil.rmtree(own_runs / poisoned.name / "measures", ignore_errors=True)
    (own_runs / poisoned.name / "model.safetensors").unlink()
    assert "are missing or damaged" in sentences(visit("explore", run=poisoned.name))


@pytest.mark.soak
def test_the_shipped_example_can_be_explored(visit, home, tmp_path, monkeypatch):
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    monkeypatch.setattr("dashboard.parts.EXAMPLES", tmp_path / "examples")
    page = visit("explore", seconds=600)
    run = Run(tmp_path / "examples" / chosen(page)["Run"])
    assert run.spec.dataset == "signs"
    measured = measure_run(run, page_measure_spec(run.trigger, run.spec.target, chosen(page)["Noise σ"]))
    assert f"**{measured.clean.mean.mean:.2f} → {measured.triggered.mean.mean:.2f}**" in finding(page)
