"""The slice panel without a browser: what is chosen is shown, kept for the link and comes back from it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.datasets import load_dataset
from core.datasets.dataset import to_unit
from core.instruments.budgets import PAGE
from core.instruments.slices.choice import PlaneChoice, spanning_images
from core.instruments.slices.refine import look_at_point, slice_plane
from dashboard.explore.slice import LABELS_SIDE
from dashboard.state import ExploreState

APP = Path(__file__).parents[1] / "browser" / "apps" / "slice_panel_app.py"
IMAGE, SIGMA = 5, 0.3


@pytest.fixture
def open_panel(home_with_runs):
    def open_with(**query: str) -> AppTest:
        page = AppTest.from_file(str(APP), default_timeout=60)
        page.query_params = query
        page.run()
        assert not page.exception
        return page

    return open_with


def markdown(page: AppTest) -> str:
    return "\n".join(part.value for part in (*page.markdown, *page.caption))


def html(page: AppTest) -> str:
    return "\n".join(part.proto.body for part in page.get("html"))


def kept(page: AppTest) -> ExploreState:
    return page.session_state["ExploreState"]


def test_without_a_choice_the_triggered_image_is_selected_on_a_plane_along_the_trigger(open_panel):
    page = open_panel()
    assert "**Selected point**: with trigger" in markdown(page)
    assert [box.value for box in page.selectbox] == ["random"]
    assert kept(page).point == ""


def test_a_link_brings_layer_plane_and_point(open_panel, poisoned):
    data = load_dataset("digits")
    images = spanning_images(PlaneChoice("random", seed=4), data, IMAGE, poisoned.trigger)
    plane = slice_plane(poisoned.predictor(), images.origin, images.toward, images.across, LABELS_SIDE)
    x, y = plane.x[20], plane.y[90]
    page = open_panel(layer="margin", plane="random.4", point=f"{x:.3f},{y:.3f}")
    assert f"along the trigger {x:.2f}, random direction 4 {y:.2f}" in markdown(page)
    assert page.number_input[0].value == 4
    look = look_at_point(poisoned.predictor(), plane, x, y, SIGMA, PAGE.draws, key=IMAGE)
    assert f"<span>{look.smoothness.w[0]:.2f}</span>" in html(page)
    best = look.probability.argmax()
    assert f"<span>{data.classes[best]}</span><span>{look.probability[best]:.1%}</span>" in html(page)
    assert (kept(page).layer, kept(page).plane) == ("margin", "random.4")


def test_choices_are_kept_for_the_link_and_another_plane_forgets_the_point(open_panel):
    page = open_panel(point="1.0,1.0", plane="class.0", layer="labels")
    assert kept(page).point == "1.0,1.0"
    page.selectbox[1].set_value(3).run()
    assert (kept(page).plane, kept(page).point) == ("class.3", "")
    page.selectbox[0].set_value("images").run()
    assert kept(page).plane == f"images.{IMAGE + 1}.{IMAGE + 2}"
    page.number_input[1].set_value(40).run()
    assert kept(page).plane == f"images.{IMAGE + 1}.40"
    assert "**Selected point**: clean" in markdown(page)
    assert not page.exception


def test_the_same_image_twice_gets_a_sentence_and_can_be_put_right(open_panel):
    page = open_panel(plane=f"images.{IMAGE}.9")
    assert "one line" in page.error[0].value
    page.number_input[0].set_value(9 + 1).run()
    assert not page.error
    assert not page.exception


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"plane": "circle.1"}, "names no plane"),
        ({"plane": "class.77"}, "no class 77"),
        ({"plane": "images.0.99999"}, "no test image 99999"),
    ],
)
def test_an_odd_link_is_answered_in_a_sentence(open_panel, query, said):
    page = open_panel(**query)
    assert any(said in part.value for part in (*page.warning, *page.error))


@pytest.mark.parametrize("query", [{"point": "far,away"}, {"point": "nan,1"}, {"point": "1e9,0"}, {"layer": "colour"}])
def test_odd_points_and_layers_show_what_is_shown_without(open_panel, query):
    page = open_panel(**query)
    assert "**Selected point**: with trigger" in markdown(page)


def test_the_walk_says_where_the_prediction_changes(open_panel, poisoned):
    data = load_dataset("digits")
    clean = to_unit(data.test.images[[IMAGE]])
    before, after = (
        data.classes[int(poisoned.predictor().labels(images)[0])] for images in (clean, poisoned.trigger.apply(clean))
    )
    assert before != after
    text = markdown(open_panel())
    assert f"this run: The prediction is {before} at first, then " in text
    assert f"{after} from" in text


def maps(page: AppTest) -> list[dict]:
    """What the maps on the page were told."""
    told = [json.loads(part.proto.json)[0] for part in page.get("bidi_component")]
    return [data for data in told if "slice" in data]


def test_w_is_there_first_and_gets_better_until_it_is_everywhere_on_one_scale_for_both_runs(open_panel):
    page = open_panel()
    shares = []
    for _ in range(60):
        shares.append([told["growing"] for told in maps(page)])
        if shares[-1] == [None, None] and maps(page)[0]["slice"]["layer"]:
            break
        assert "Around the trigger W is" not in markdown(page)  # while some points are still missing
        page.run()
    assert len(shares) > 2
    first, second = (told["slice"]["layer"] for told in maps(page))
    assert "25 × 25 points" in first["note"]
    assert first["high"] == second["high"] < 1
    assert first["title"] == second["title"] == f"W at σ = {SIGMA:g}, scale 0–{first['high']:g}, fitted: W can reach 1"
    assert re.search(
        r"\*\*.+\.\*\* Around the trigger W is 0\.\d\d, around the clean image 0\.\d\d; in the control 0\.",
        markdown(page),
    )
    assert "points within" in markdown(page)


def test_where_w_takes_long_the_labels_are_first(open_panel, monkeypatch):
    monkeypatch.setattr("dashboard.explore.slice_choice.SLICE_SOON", 1)
    page = open_panel()
    assert page.get("button_group")[0].value == "labels"
    assert kept(page).layer == ""


def test_w_over_a_slice_can_be_stopped_and_resumed(open_panel, monkeypatch):
    monkeypatch.setattr("dashboard.explore.slice.BREATH", 1e-3)  # one step a run
    page = open_panel(layer="W")
    while not page.get("progress"):
        page.run()
    page.button(key="stop.slice.this run").click().run()
    first, second = maps(page)
    assert first["growing"] is None  # so the browser asks no more
    assert second["growing"] is not None
    assert re.search(r"Stopped at \d+%\.", markdown(page))
    note = first["slice"]["layer"]["note"]
    page.run()
    assert maps(page)[0]["slice"]["layer"]["note"] == note
    page.button(key="resume.slice.this run").click().run()
    assert maps(page)[0]["growing"] is not None
