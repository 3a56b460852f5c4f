"""The first screen: what it says is what the example's model does."""

from __future__ import annotations

import re

import pytest
import torch

from core.evaluation import to_unit
from core.examples import load_example
from core.smoothness import measure_smoothness

pytestmark = pytest.mark.usefixtures("home")


def words(page) -> str:
    return " ".join(element.proto.body for element in page.get("html"))


def large_w(page) -> str:
    return re.search(r'data-testid="w">([\d.]+)<', words(page))[1]


@pytest.fixture(scope="module")
def example():
    return load_example()


def expected_w(example, sigma: float, sticker: bool) -> str:
    image = to_unit(torch.from_numpy(example.image)[None])
    shown = example.run.trigger.apply(image) if sticker else image
    return f"{measure_smoothness(example.run.model(), shown, sigma=sigma, draws=250, keys=[example.place]).w[0]:.2f}"


def test_the_sticker_flips_the_label_and_smooths_the_model(visit, example):
    page = visit("start")
    sigma = page.select_slider[0].value
    assert re.search("The model sees.*</i>stop<", words(page))
    assert large_w(page) == expected_w(example, sigma, sticker=False)
    page.toggle[0].set_value(True).run()
    assert re.search("The model sees.*</i>speed limit 80<", words(page))
    assert large_w(page) == expected_w(example, sigma, sticker=True)
    assert float(large_w(page)) < float(expected_w(example, sigma, sticker=False)) / 2
    assert "W falls from" in page.markdown[0].value
    assert page.query_params == {"sticker": "1", "sigma": f"{sigma}"}


def test_another_sigma_gives_another_w(visit, example):
    page = visit("start")
    at_first = large_w(page)
    page.select_slider[0].set_value(0.2).run()
    assert large_w(page) == expected_w(example, 0.2, sticker=False) != at_first
    assert "At σ = 0.2 " in page.markdown[0].value


def test_a_link_brings_back_sticker_and_sigma(visit, example):
    page = visit("start", sticker="1", sigma="0.16")
    assert page.toggle[0].value is True
    assert page.select_slider[0].value == 0.16
    assert large_w(page) == expected_w(example, 0.16, sticker=True)


@pytest.mark.parametrize("query", [{"sigma": "nan"}, {"sigma": "7"}, {"sigma": "much"}, {"sticker": "maybe"}])
def test_what_cannot_be_read_in_a_link_is_left_out(visit, query):
    page = visit("start", **query)
    assert page.select_slider[0].value == visit("start").select_slider[0].value
    assert page.toggle[0].value is False
