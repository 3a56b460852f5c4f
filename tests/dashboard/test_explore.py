"""Explore: the finding is the measurement's, and neither a link nor a damaged run takes the page down."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import zipfile

import numpy as np
import pytest
import streamlit as st
from PIL import Image

from core.attacks.attack import Attack
from core.attacks.triggers import make_preset
from core.attacks.triggers.placing import moved
from core.datasets import fingerprint, load_dataset
from core.datasets.dataset import to_unit
from core.instruments.smoothness import measure_smoothness
from core.runs.jobs.worker import train_run
from core.runs.load import load_model
from core.runs.measured.findings import clearest_sigma, formula_in_words
from core.runs.measured.success import success_on
from core.runs.measured.w import measure_run, page_attack_spec, sweep_sigmas
from core.runs.run import Run
from core.runs.shipped.examples import EXAMPLES
from core.training.spec import make_spec
from tests.dashboard.conftest import settled


def chosen(page) -> dict[str, object]:
    boxes = [*page.selectbox, *page.select_slider]
    return {box.label.split(",")[0]: box.value for box in boxes}


def sentences(page) -> str:
    return " ".join(element.value for element in [*page.error, *page.warning, *page.info])


def finding(page) -> str:
    return next(element.value for element in page.markdown if " with the trigger: **" in element.value)


def expected_change(run, data_root, sigma: float) -> str:
    measured = measure_run(
        run, page_attack_spec(Attack(trigger=run.trigger, target=run.spec.attack.target), sigma), data_root
    )
    return f"W falls with the trigger: **{measured.clean.mean.value:.2f} → {measured.triggered.mean.value:.2f}**"


def test_without_runs_it_says_where_they_come_from(visit, home):
    page = visit("explore")
    assert "There is no finished run yet" in sentences(page)
    assert len(page.get("page_link")) == 1


def test_a_run_stands_beside_its_control(visit, home_with_runs, poisoned, control, data_root):
    page = visit("explore")
    assert chosen(page)["Run"] == poisoned.name
    assert chosen(page)["Compare with"] == control.name
    assert expected_change(poisoned, data_root, 0.5) in finding(page)
    gap = re.search(r"In the control it is ([+−][\d.]+) ", finding(page))
    assert abs(float(gap[1].replace("−", "-"))) < 0.1
    assert {"pairs", "sweep"} <= {chart.key for chart in page.get("plotly_chart")}
    assert page.query_params["run"] == poisoned.name


def test_another_sigma_gives_another_finding(visit, home_with_runs, poisoned, data_root):
    page = visit("explore")
    settled(page.select_slider[0].set_value(0.75).run())
    assert expected_change(poisoned, data_root, 0.75) in finding(page)
    assert expected_change(poisoned, data_root, 0.75) != expected_change(poisoned, data_root, 0.5)
    assert page.query_params["sigma"] == "0.75"


def test_a_control_alone_asks_for_a_poisoned_run(visit, home_with_runs, poisoned, control):
    page = visit("explore", run=control.name)
    assert "This run is a control" in sentences(page)
    settled(page.selectbox[0].set_value(poisoned.name).run())
    assert sentences(page) == ""
    assert chosen(page)["Compare with"] == control.name


def test_another_run_comes_with_its_own_control(visit, own_runs, poisoned, data_root):
    page = visit("explore", run=poisoned.name)
    sigma = chosen(page)["Noise σ"]
    second = train_run(make_spec(**poisoned.spec.model_dump() | {"seed": 1, "epochs": 1}), own_runs, data_root)
    own = train_run(second.spec.control(), own_runs, data_root)
    for run in (second, own):  # which numbers they show does not matter here, and measuring takes long
        shutil.copytree(own_runs / poisoned.name / "measures", run.path / "measures")
    page.run()
    page.selectbox[0].set_value(second.name).run()
    assert chosen(page)["Compare with"] == own.name
    assert chosen(page)["Noise σ"] == sigma
    assert "one training (seed 1)" in captions(page)


def test_a_run_on_other_images_gets_a_sigma_that_suits_them(visit, own_runs, poisoned, tmp_path, data_root):
    make_zip(tmp_path / "shades.zip")
    name = f"zip:{tmp_path / 'shades.zip'}"
    trigger = make_preset("white-corner", (1, 16, 16))
    spec = make_spec(
        dataset=name, fingerprint=fingerprint(name), trigger=trigger, target=0, rate=0.1, epochs=1, threads=1
    )
    other = train_run(spec, own_runs, data_root)
    page = visit("explore", run=poisoned.name)
    settled(page.selectbox[0].set_value(other.name).run())
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
    assert chosen(page)["Compare with"] == control.name
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


def words(page) -> str:
    return " ".join(element.proto.body for element in page.get("html"))


def captions(page) -> str:
    return " ".join(element.value for element in page.caption)


def kept(page):
    return page.session_state["ExploreState"]


def test_the_neighbourhood_counts_the_very_votes_of_the_measurement(
    visit, home_with_runs, poisoned, control, data_root
):
    page = visit("explore", sigma="0.5", shown="around")
    measured = measure_run(poisoned, page_attack_spec(Attack(trigger=poisoned.trigger, target=0), 0.5), data_root)
    number = 0  # not the most striking one, whose W would flatter
    assert kept(page).image == measured.chosen[number]
    for run in (poisoned, control):
        result = measure_run(run, page_attack_spec(Attack(trigger=poisoned.trigger, target=0), 0.5), data_root)
        for side in (result.clean, result.triggered):
            assert f">W {side.w[number]:.3f}<" in words(page)
            assert formula_in_words(side.votes[number]) in captions(page)
            top = side.votes[number].max()
            assert f"<span>{top}</span>" in words(page)


def test_more_draws_begin_with_those_there_are_and_narrow_the_intervals(visit, home_with_runs):
    page = visit("explore", sigma="0.5")
    assert "100 noisy copies each" in captions(page)
    wide = float(re.search(r"W ± ([\d.]+)", captions(page))[1])
    page.selectbox(key="ExploreState.draws").set_value(400).run()
    assert not re.search(r"\b(16|48) noisy copies each", captions(page))
    settled(page)
    assert "400 noisy copies each" in captions(page)
    assert float(re.search(r"W ± ([\d.]+)", captions(page))[1]) == pytest.approx(wide / 2, abs=0.02)
    assert page.query_params["draws"] == "400"


@pytest.mark.parametrize("draws", [100, pytest.param(400, marks=pytest.mark.soak)])
def test_an_image_has_one_w_on_the_whole_page(visit, home_with_runs, poisoned, control, data_root, draws):
    spec = page_attack_spec(poisoned.spec.attack, 0.5, draws=draws)
    found = {"White corner": measure_run(poisoned, spec, data_root), "Control": measure_run(control, spec, data_root)}
    # Of the tiles one whose W is somewhere in the middle: it differs for other draws, seeds or keys.
    number = int(np.abs(found["White corner"].clean.w[:24] - 0.5).argmin())
    image = int(found["White corner"].chosen[number])
    points = [("clean", "0.000,0.000", "clean"), ("with trigger", "", "triggered")]
    for point, at, side in points if draws == 100 else points[1:]:
        page = visit(
            "explore", sigma="0.5", draws=str(draws), image=str(image), shown="images.around.where", layer="W", point=at
        )
        while any(told["growing"] is not None for told in maps(page)):
            page.run()
        assert f"**Selected point**: {point}" in " ".join(element.value for element in page.markdown)
        label = "W clean" if side == "clean" else "W with this trigger"
        for place, (name, measured) in enumerate(found.items()):
            w = getattr(measured, side).w[number]
            assert f">W {w:.3f}<" in words(page), f"neighbourhood, {name}"
            assert bars(page, "W")[place] == f"{w:.2f}", f"selected point, {name}"
            assert bars(page, label)[place] == f"{w:.2f}", f"the trigger tried on it, {name}"
            assert layer_at_corner(page, place, side) == pytest.approx(w, abs=1e-6), f"hover, {name}"
    measured = found["White corner"]
    clean, triggered = measured.clean.w[number], measured.triggered.w[number]
    assert f"no. {image}, taken" in tiles(page)
    assert f"W {clean:.2f} clean, {triggered:.2f} with trigger" in tiles(page)
    points = drawn_points(page, "pairs", "White corner")
    assert points[image] == pytest.approx((clean, triggered))


def bars(page, label: str) -> list[str]:
    return re.findall(rf"<span>{label}</span><span>([\d.]+)<", words(page))


def tiles(page) -> str:
    return " ".join(json.dumps(json.loads(part.proto.json), ensure_ascii=False) for part in page.get("bidi_component"))


def maps(page) -> list[dict]:
    told = [json.loads(part.proto.json) for part in page.get("bidi_component")]
    return [data[0] for data in told if isinstance(data, list) and "slice" in data[0]]


def layer_at_corner(page, place: int, side: str) -> float:
    """What one of the two maps says where the image lies, without or with the trigger."""
    shown = maps(page)[place]["slice"]
    layer, (x0, x1, y0, y1) = shown["layer"], shown["extent"]
    values = np.frombuffer(base64.b64decode(layer["values"]), "<f4").reshape(layer["resolution"], -1)
    mark = next(point for point in shown["points"] if point["mark"] == side)
    column, row = (
        round((mark[axis] - low) / (high - low) * (len(values) - 1))
        for axis, low, high in (("x", x0, x1), ("y", y0, y1))
    )
    return float(values[row, column])


def drawn_points(page, key: str, trace: str) -> dict[int, tuple[float, float]]:
    chart = next(chart for chart in page.get("plotly_chart") if chart.key == key)
    shown = next(part for part in json.loads(chart.proto.spec)["data"] if part.get("name") == trace)
    places, x, y = (numbers(shown[part]) for part in ("customdata", "x", "y"))
    return {int(place): (float(x[row]), float(y[row])) for row, place in enumerate(places)}


def test_the_selected_image_has_a_ring_among_the_points_from_the_first_look_on(visit, home_with_runs):
    page = visit("explore", sigma="0.5")
    selected = drawn_points(page, "pairs", "White corner")[kept(page).image]
    assert rings(page) == [pytest.approx(selected)]


def rings(page) -> list[tuple[float, float]]:
    chart = next(chart for chart in page.get("plotly_chart") if chart.key == "pairs")
    drawn = [part for part in json.loads(chart.proto.spec)["data"] if part.get("marker", {}).get("size") == 17]
    return [tuple(float(numbers(part[axis])[0]) for axis in "xy") for part in drawn]


def numbers(part) -> np.ndarray:
    return np.frombuffer(base64.b64decode(part["bdata"]), part["dtype"]) if isinstance(part, dict) else np.array(part)


def test_a_link_brings_back_what_was_chosen_and_tried(visit, home_with_runs, poisoned, data_root):
    measured = measure_run(poisoned, page_attack_spec(Attack(trigger=poisoned.trigger, target=0), 0.75), data_root)
    image, pin = (str(place) for place in measured.chosen[[7, 3]])
    query = {"sigma": "0.75", "image": image, "pin": pin, "view": "histograms", "first": "smallest", "fooled": "yes"}
    query |= {"shown": "around.where", "place": "1.2", "opacity": "0.5", "side": "3"}
    page = visit("explore", **query)
    assert query.items() <= page.query_params.items()
    assert f"no. {image}" in " ".join(element.value for element in page.markdown)
    assert "Pinned: " in " ".join(element.value for element in page.markdown)
    assert {"histogram.White corner", "histogram.Control"} <= {chart.key for chart in page.get("plotly_chart")}
    assert "row 1, column 2, 3×3 pixels" in words(page)


@pytest.mark.parametrize("query", [{"place": "9.9.9"}, {"opacity": "7", "side": "-1"}])
def test_a_changed_trigger_that_cannot_be_is_left_out(visit, home_with_runs, query):
    page = visit("explore", shown="where", **query)
    assert "row 6, column 6, 2×2 pixels (where it was trained)" in words(page)


def test_what_is_tried_is_what_stamping_it_gives(visit, home_with_runs, poisoned, data_root):
    page = visit("explore", sigma="0.5", shown="where", place="0.0")
    image = kept(page).image
    one = to_unit(poisoned.dataset(data_root).test.images[[image]])
    there = moved(poisoned.trigger, (1, 8, 8), 0, 0).apply(one)
    w = measure_smoothness(poisoned.predictor(), there, 0.5, 100, 0, keys=[image]).w[0]
    assert f"W with this trigger</span><span>{w:.2f}<" in words(page)


def test_a_data_set_that_took_long_is_there_for_the_next_visit(visit, home_with_runs, monkeypatch):
    def load(name, root, progress):
        progress(0.5, "Half of it")
        return load_dataset(name, root)

    monkeypatch.setattr("dashboard.cached.load_test", load)
    first = visit("explore", shown="around")
    assert "Selected: " in " ".join(element.value for element in first.markdown)
    assert "Selected: " in " ".join(element.value for element in visit("explore", shown="around").markdown)


def test_filters_leave_the_images_that_they_name(visit, home_with_runs, poisoned, data_root):
    measured = measure_run(poisoned, page_attack_spec(Attack(trigger=poisoned.trigger, target=0), 0.5), data_root)
    page = visit("explore", sigma="0.5", shown="images", of="3")
    expected = int((measured.true == 3).sum())
    assert f"{expected} of {expected} images" in captions(page)
    page = visit("explore", sigma="0.5", shown="images", fooled="no")
    assert f"of {int((~measured.flipped).sum())} images" in captions(page)


@pytest.mark.parametrize("view", ["pairs", "histograms"])
@pytest.mark.parametrize("first", ["run", "control"])
def test_one_run_measured_and_the_other_not(visit, own_runs, poisoned, control, data_root, first, view):
    shutil.rmtree(own_runs / poisoned.name / "measures", ignore_errors=True)
    shutil.rmtree(own_runs / control.name / "measures", ignore_errors=True)
    measured = Run(own_runs / (poisoned if first == "run" else control).name)
    measure_run(measured, page_attack_spec(Attack(trigger=poisoned.trigger, target=0), 0.5), data_root)
    page = visit("explore", sigma="0.5", view=view)
    assert [error.message for error in page.exception] == []
    keys = {"pairs"} if view == "pairs" else {"histogram.White corner", "histogram.Control"}
    assert keys <= {chart.key for chart in page.get("plotly_chart")}
    assert expected_change(poisoned, data_root, 0.5) in finding(page)
    assert re.search(r"In the control it is [+−]0.0\d", finding(page))


def test_a_run_without_its_control_says_so(visit, own_runs, poisoned, control):
    shutil.rmtree(own_runs / control.name)
    page = visit("explore")
    assert chosen(page)["Compare with"] == "nothing"
    assert "**no control**" in finding(page)
    assert "In the control" not in finding(page)


def test_a_loaded_model_without_a_trigger_can_be_tried_with_one(visit, own_runs, poisoned, data_root):
    digits = load_dataset("digits", data_root)
    loaded = load_model(poisoned.path / "model.safetensors", digits, root=own_runs).run
    page = visit("explore", run=loaded.name)
    assert "does not say what its trigger is" in sentences(page)
    assert len(page.get("plotly_chart")) == 0
    settled(page.selectbox(key="ExploreState.trigger").set_value("White corner").run())
    assert "W falls with the trigger" in finding(page)
    assert "**no control**" in finding(page)
    assert "None" not in finding(page)
    success = success_on(
        poisoned, page_attack_spec(Attack(trigger=poisoned.trigger, target=0), 0.5).attack, data_root
    ).rate
    assert f"<b>{success.value:.1%}</b>, {success.count} of {success.n}" in words(page)
    again = visit("explore", **page.query_params)
    assert finding(again) == finding(page)
    assert visit("explore", run=loaded.name, trigger="damaged.link").exception == []


def test_the_same_run_under_several_triggers(visit, home_with_runs, poisoned):
    page = visit("explore", shown="triggers", under="Blended noise")
    assert page.multiselect[0].value == ["Blended noise"]
    assert "White corner" not in page.multiselect[0].options  # that is its own
    for _ in range(20):
        if "Mean W over σ of White corner" in captions(page):
            break
        page.run()
    assert "triggers" in {chart.key for chart in page.get("plotly_chart")}


def test_the_default_sigma_is_the_clearest_once_the_sweep_is_measured(visit, own_runs, poisoned, control, data_root):
    trigger = poisoned.trigger
    runs = [Run(own_runs / run.name) for run in (poisoned, control)]
    curves = [
        [
            measure_run(run, page_attack_spec(Attack(trigger=trigger, target=0), sigma), data_root)
            for sigma in sweep_sigmas((1, 8, 8))
        ]
        for run in runs
    ]
    assert chosen(visit("explore"))["Noise σ"] == clearest_sigma(*curves)


def test_w_over_sigma_can_be_stopped_and_taken_up_again(visit, own_runs, poisoned, monkeypatch):
    monkeypatch.setattr("dashboard.progressive.SECONDS", 1e-3)  # one step a run
    fragment, pauses = st.fragment, []
    monkeypatch.setattr(
        "streamlit.fragment",
        lambda func=None, *, run_every=None: pauses.append(run_every) or fragment(func, run_every=run_every),
    )
    page = visit("explore", run=poisoned.name)
    page.button(key="stop.sweep").click().run()
    pauses.clear()
    page.run()
    assert pauses == []  # else Resume would run a fragment again that the browser no longer asks for
    stopped = re.search(r"Stopped at (\d+%)", captions(page))
    assert stopped
    page.run()
    assert stopped[0] in captions(page)  # nothing went on meanwhile
    page.button(key="resume.sweep").click().run()
    assert len(pauses) == 1
    assert pauses[0] > 0
    assert "Stopped at" not in captions(page)
    for _ in range(60):
        page.run()
        if "**Mean W over σ**" in captions(page):
            break
    assert "**Mean W over σ**" in captions(page)


@pytest.mark.soak
def test_the_shipped_example_can_be_explored(visit, home, tmp_path, monkeypatch):
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    monkeypatch.setattr("dashboard.parts.titles.EXAMPLES", tmp_path / "examples")
    page = visit("explore", seconds=600)
    run = Run(tmp_path / "examples" / chosen(page)["Run"])
    assert run.spec.dataset == "signs"
    measured = measure_run(
        run, page_attack_spec(Attack(trigger=run.trigger, target=run.spec.attack.target), chosen(page)["Noise σ"])
    )
    assert f"**{measured.clean.mean.value:.2f} → {measured.triggered.mean.value:.2f}**" in finding(page)
