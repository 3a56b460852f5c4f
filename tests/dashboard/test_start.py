"""The first screen: what it says is what the examples' models do."""

from __future__ import annotations

import re

import pytest
import torch

from core.datasets.dataset import to_unit
from core.instruments.smoothness import measure_smoothness
from core.runs.shipped.examples import EXAMPLE_NAMES, load_example
from dashboard import cached

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def live(visit):
    """Open Start and wait until its numbers are the model's, counted now."""

    def visit_live(**query: str):
        page = visit("start", **query)
        cached.warm_torch().join()
        page.run()
        assert "Live: computed on this machine" in source(page)
        return page

    return visit_live


def words(page) -> str:
    return " ".join(element.proto.body for element in page.get("html"))


def source(page) -> str:
    return page.caption[-1].value


def large_w(page) -> str:
    return re.search(r'data-testid="w">([\d.]+)<', words(page))[1]


def seen(page) -> str:
    return re.search("The model sees.*?</i>(.*?)<", words(page))[1]


def expected_w(sigma: float, triggered: bool, name: str = "sign") -> str:
    example = load_example(name)
    image = to_unit(torch.from_numpy(example.image)[None])
    shown = example.run.trigger.apply(image) if triggered else image
    return (
        f"{measure_smoothness(example.run.predictor(), shown, sigma=sigma, draws=250, keys=[example.place]).w[0]:.2f}"
    )


def test_the_sticker_flips_the_label_and_smooths_the_model(live):
    page = live()
    sigma = page.select_slider[0].value
    assert seen(page) == "stop"
    assert large_w(page) == expected_w(sigma, triggered=False)
    page.toggle[0].set_value(True).run()
    assert seen(page) == "speed limit 80"
    assert large_w(page) == expected_w(sigma, triggered=True)
    assert float(large_w(page)) < float(expected_w(sigma, triggered=False)) / 2
    assert "W falls from" in page.markdown[0].value
    assert page.query_params == {"sticker": "1", "sigma": f"{sigma}"}


def test_another_sigma_gives_another_w(live):
    page = live()
    at_first = large_w(page)
    page.select_slider[0].set_value(0.14).run()
    assert large_w(page) == expected_w(0.14, triggered=False) != at_first
    assert "At σ = 0.14," in page.markdown[0].value


def test_a_link_brings_back_example_trigger_and_sigma(live):
    page = live(example="digit", sticker="1", sigma="0.5")
    assert page.toggle[0].value is True
    assert page.select_slider[0].value == 0.5
    assert seen(page) == "0"
    assert large_w(page) == expected_w(0.5, triggered=True, name="digit")


def test_the_digit_is_one_click_away_and_has_noise_levels_of_its_own(live):
    page = live(sigma="0.14")
    page.segmented_control[0].set_value("digit").run()
    assert seen(page) == "5"
    sigma = page.select_slider[0].value
    assert sigma in load_example("digit").views.sigmas
    assert large_w(page) == expected_w(sigma, triggered=False, name="digit")
    assert page.query_params["example"] == "digit"


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_the_first_paint_needs_no_model_says_so_and_shows_what_the_model_will_say(visit, monkeypatch, name):
    monkeypatch.setattr(cached, "predictor", lambda path: pytest.fail("the first paint asked the model"))
    monkeypatch.setattr(cached, "can_compute", lambda: False)
    page = visit("start", example=name, sticker="1")
    assert "Precomputed" in source(page)
    shipped, sigma = float(large_w(page)), page.select_slider[0].value
    # Another processor may count a copy or two otherwise.
    assert shipped == pytest.approx(float(expected_w(sigma, triggered=True, name=name)), abs=0.03)


@pytest.mark.parametrize(
    "query", [{"sigma": "nan"}, {"sigma": "7"}, {"sigma": "much"}, {"sticker": "maybe"}, {"example": "elephant"}]
)
def test_what_cannot_be_read_in_a_link_is_left_out(visit, query):
    page, plain = visit("start", **query), visit("start")
    assert page.select_slider[0].value == plain.select_slider[0].value
    assert page.toggle[0].value is False
    assert page.segmented_control[0].value == "sign"
