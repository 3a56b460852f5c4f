"""Adaptive draws: fresh ones alone are counted, each image gets what it needs, and company changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from core.datasets.dataset import to_unit
from core.errors import InputError
from core.instruments.adaptive import measure_to_width
from core.instruments.evaluation import choose_images
from core.instruments.intervals import entropy_interval
from core.instruments.noise import Noise
from core.instruments.predictor import Predictor

WIDTH = 0.15


@pytest.fixture(scope="module")
def predictor(poisoned):
    return Predictor(poisoned.model())


@pytest.fixture(scope="module")
def images(poisoned, data_root):
    test = poisoned.dataset(data_root).test
    return to_unit(test.images[choose_images(test, 0, 40, seed=0)])


@pytest.fixture(scope="module")
def measured(predictor, images):
    return measure_to_width(predictor, images, 0.2, WIDTH)


def test_the_pilots_draws_are_not_counted_again(predictor, images, measured):
    for number in (0, 7, 39):
        draws = int(measured.draws[number])
        fresh = predictor.votes(images[[number]], Noise(0.2, draws, keys=[number], first=measured.noise.first))
        assert np.array_equal(fresh.numpy()[0], measured.votes[number])


def test_an_image_gets_the_same_answer_alone_and_in_any_order(predictor, images, measured):
    order = [31, 2, 17]
    some = measure_to_width(predictor, images[order], 0.2, WIDTH, keys=order)
    assert np.array_equal(some.votes, measured.votes[order])


def test_intervals_are_about_as_wide_as_asked(measured):
    width = measured.high - measured.low
    assert np.mean(width <= 1.1 * WIDTH) >= 0.85
    low, high = entropy_interval(measured.votes)
    assert np.array_equal(low, measured.low)
    assert np.array_equal(high, measured.high)
    assert ((measured.low <= measured.w) & (measured.w <= measured.high)).all()


def test_a_narrower_width_costs_more_draws(predictor, images, measured):
    narrow = measure_to_width(predictor, images[:5], 0.2, WIDTH / 2)
    assert (narrow.draws > measured.draws[:5]).all()


@pytest.mark.parametrize(("sigma", "width"), [(0.2, 0.0), (0.2, 1.0), (0.2, float("nan")), (0.0, 0.1), (-1.0, 0.1)])
def test_what_cannot_be_asked_gets_a_sentence(predictor, images, sigma, width):
    with pytest.raises(InputError, match=r"between 0 and 1|above 0"):
        measure_to_width(predictor, images, sigma, width)


@pytest.mark.soak
def test_adaptive_draws_save_a_third_against_the_smallest_fixed_number(predictor, images):
    ratios = []
    for sigma in (0.1, 0.2, 0.5):
        adaptive = measure_to_width(predictor, images, sigma, 0.05)
        spent = adaptive.draws.mean() + adaptive.noise.first
        for draws in (round(256 * 2 ** (step / 4)) for step in range(18)):
            low, high = entropy_interval(predictor.votes(images, Noise(sigma, draws)).numpy())
            if np.mean(high - low <= 0.05) >= 0.99:
                break
        ratios.append(draws / spent)
    assert np.mean(ratios) >= 1.5, ratios
