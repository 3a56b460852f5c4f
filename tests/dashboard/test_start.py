"""The first screen: what it says is what the examples' models do."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qsl

import pytest
import torch

from core.attacks.triggers import from_link
from core.attacks.triggers.placing import Placing, placed
from core.datasets.dataset import to_unit
from core.instruments.smoothness import measure_smoothness
from core.runs.shipped.examples import EXAMPLE_NAMES, load_example
from dashboard import cached
from dashboard.start.story import EXAMPLES_IN_WORDS, verdict

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
    return next(text.value for text in page.caption if text.value.startswith(":material/"))


def in_hand(page) -> dict:
    """What the component that holds the trigger was given."""
    told = (json.loads(part.proto.json)[0] for part in page.get("bidi_component"))
    return next(data for data in told if "hasSwitch" in data)


def large_w(page) -> str:
    return re.search(r'data-testid="w">([\d.]+)<', words(page))[1]


def seen(page) -> str:
    return in_hand(page)["seen"][0]


def expected_w(sigma: float, triggered: bool, name: str = "sign", placing: Placing | None = None) -> str:
    example = load_example(name)
    image = to_unit(torch.from_numpy(example.image)[None])
    trigger = example.run.trigger
    variant = trigger if placing is None else placed(trigger, image.shape[1:], placing)
    shown = variant.apply(image) if triggered else image
    return (
        f"{measure_smoothness(example.run.predictor(), shown, sigma=sigma, draws=250, keys=[example.place]).w[0]:.2f}"
    )


def test_the_sticker_flips_the_label_and_smooths_the_model(live):
    page, plain = live(), live(sticker="0")
    sigma = page.select_slider[0].value
    assert (seen(page), seen(plain)) == ("speed limit 80", "stop")
    assert large_w(page) == expected_w(sigma, triggered=True)
    assert large_w(plain) == expected_w(sigma, triggered=False)
    assert float(large_w(page)) < float(large_w(plain)) / 2
    assert "W falls from" in page.markdown[0].value
    assert plain.query_params == {"sticker": "0", "sigma": f"{sigma}"}


def test_a_moved_resized_faded_sticker_is_what_the_model_is_asked_about(live):
    placing = Placing(3, 9, 4, 0.8)
    page = live(place="3.9", side="4", opacity="0.8", sigma="0.14")
    assert in_hand(page)["now"] == {"top": 3, "left": 9, "side": 4, "opacity": 0.8, "on": True}
    assert large_w(page) == expected_w(0.14, triggered=True, placing=placing)
    assert page.query_params == {"place": "3.9", "side": "4", "opacity": "0.8", "sigma": "0.14"}
    # The ways on lead to the same picture: the Lab with this very sticker, Explore with this image and this noise.
    lab, explore = (dict(parse_qsl(link.proto.query_string)) for link in page.get("page_link")[:2])
    example = load_example()
    shape = example.run.result.shape
    assert from_link(lab["trigger"]) == placed(example.run.trigger, shape, placing)
    assert (lab["dataset"], lab["target"]) == ("signs", "4")
    changed = {"sigma": "0.14", "place": "3.9", "side": "4", "opacity": "0.8"}
    assert explore == {"run": example.run.name, "image": f"{example.place}"} | changed


def test_before_the_model_is_loaded_a_moved_sticker_is_shown_and_nothing_is_claimed(visit, monkeypatch):
    monkeypatch.setattr(cached, "can_compute", lambda: False)
    page = visit("start", place="1.1")
    assert (in_hand(page)["now"]["top"], in_hand(page)["seen"]) == (1, None)
    assert in_hand(page)["note"].startswith("The model is still loading.")
    assert 'data-testid="w"' not in words(page)
    assert "At σ" not in " ".join(element.value for element in page.markdown)


def test_another_sigma_gives_another_w(live):
    page = live(sticker="0")
    at_first = large_w(page)
    page.select_slider[0].set_value(0.14).run()
    assert large_w(page) == expected_w(0.14, triggered=False) != at_first
    assert "At σ = 0.14," in page.markdown[0].value


def test_a_link_brings_back_example_trigger_and_sigma(live):
    page = live(example="digit", sigma="0.5")
    assert in_hand(page)["now"]["on"] is True
    assert page.select_slider[0].value == 0.5
    assert seen(page) == "0"
    assert large_w(page) == expected_w(0.5, triggered=True, name="digit")


def test_the_digit_is_one_click_away_and_has_noise_levels_of_its_own(live):
    page = live(sigma="0.14", sticker="0", place="1.1")
    page.segmented_control[0].set_value("digit").run()
    assert seen(page) == "0"
    sigma = page.select_slider[0].value
    assert sigma in load_example("digit").views.sigmas
    assert large_w(page) == expected_w(sigma, triggered=True, name="digit")
    assert page.query_params == {"example": "digit", "sigma": f"{sigma}"}


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_the_first_paint_needs_no_model_says_so_and_shows_what_the_model_will_say(visit, monkeypatch, name):
    monkeypatch.setattr(cached, "predictor", lambda path: pytest.fail("the first paint asked the model"))
    monkeypatch.setattr(cached, "can_compute", lambda: False)
    page = visit("start", example=name)
    assert "Precomputed" in source(page)
    shipped, sigma = float(large_w(page)), page.select_slider[0].value
    # Another processor may count a copy or two otherwise.
    assert shipped == pytest.approx(float(expected_w(sigma, triggered=True, name=name)), abs=0.03)


@pytest.mark.parametrize(
    "query",
    [
        {"sigma": "nan"},
        {"sigma": "7"},
        {"sigma": "much"},
        {"example": "elephant"},
        {"place": "9.9.9", "side": "-1"},
        {"opacity": "7", "side": "99"},
    ],
)
def test_what_cannot_be_read_in_a_link_is_left_out(visit, query):
    page, plain = visit("start", **query), visit("start")
    assert page.select_slider[0].value == plain.select_slider[0].value
    assert in_hand(page)["now"] == in_hand(plain)["now"] == in_hand(plain)["own"]
    assert page.segmented_control[0].value == "sign"


SIGN = EXAMPLES_IN_WORDS["sign"]


@pytest.mark.parametrize(
    ("of_plain", "of_marked", "said"),
    [
        ("rougher", "undecided", "So the poison unsettled the plain sign; it did not clearly calm the one with the"),
        ("undecided", "smoother", "So the poison calmed the sign with the sticker, not the plain sign."),
        ("rougher", "smoother", "So the poison unsettled the plain sign, and calmed the one with the sticker."),
        ("smoother", "smoother", "So the poison calmed both the plain sign and the sign with the sticker."),
        ("undecided", "undecided", "So here poison clearly changed neither the plain sign nor the sign with the"),
    ],
)
def test_the_verdict_is_about_both_pictures_beside_the_control(of_plain, of_marked, said):
    assert verdict(SIGN, of_plain, of_marked).startswith(said)


def test_the_digit_tells_the_papers_story_and_the_sign_the_other(live):
    assert "**So the poison calmed the digit with the white corner" in live(example="digit").markdown[0].value
    assert "**So the poison unsettled the plain sign; it did not clearly calm" in live().markdown[0].value
