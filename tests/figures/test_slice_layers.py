"""The layers of a slice: their numbers, their scale, and what is said of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.figures.slice_layers import (
    cividis,
    fitted_top,
    margin_layer,
    probability_layer,
    scale_words,
    smoothness_layer,
)
from core.figures.slice_words import describe_slice, sea_words
from core.instruments.noise import Noise
from core.instruments.slices.plane import SlicePlane, blank_plane
from core.instruments.slices.plane_smoothness import PlaneSmoothness, Surroundings, surroundings
from core.instruments.slices.refine import (
    PlaneConfidence,
    confidence_over_plane,
    slice_plane,
    smoothness_over_plane_steps,
)
from core.instruments.smoothness import Smoothness
from core.instruments.statistics import Estimate

CLASSES = ("stop", "yield", "no entry", "crossing")
NAMES = {"origin": "clean", "toward": "with trigger", "across": "a yield"}


def corners() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    origin, toward, across = (torch.zeros(1, 8, 8) for _ in range(3))
    toward[0, 0, 0], across[0, 0, 1] = 1, 1
    return origin, toward, across


def quadrants(images: torch.Tensor) -> torch.Tensor:
    """Class 0, 1 or 3: right of 0.5 or not, and there above 0.5 or not."""
    right, up = images[:, 0, 0, 0] > 0.5, images[:, 0, 0, 1] > 0.5
    return 2 * torch.nn.functional.one_hot(right + 2 * (right & up).long(), 4).float()


@pytest.fixture(scope="module")
def plane():
    return slice_plane(quadrants, *corners(), 33)


def test_layers_show_their_own_numbers(plane):
    confidence = confidence_over_plane(quadrants, plane, 9)
    *_, smoothness = smoothness_over_plane_steps(quadrants, plane, 0.2, 32, resolution=9)
    for layer, values, high in (
        (probability_layer(confidence), confidence.probability, 1),
        (margin_layer(confidence), confidence.margin, 2),
        (smoothness_layer(smoothness), smoothness.w, fitted_top([smoothness])),
    ):
        assert np.array_equal(layer.values, values)
        assert (layer.low, layer.high) == (0, high)
        assert layer.title in describe_slice(plane, CLASSES, NAMES, layer)
    assert "9 × 9 points, 32 draws each" in smoothness_layer(smoothness).note
    assert smoothness_layer(smoothness).title == "W at σ = 0.2, scale 0–0.82, fitted: W can reach 1"
    first = next(smoothness_over_plane_steps(quadrants, plane, 0.2, 8, resolution=9))
    assert "9 of 81 points so far" in smoothness_layer(first).note


def test_margins_of_several_slices_share_a_scale():
    ones, threes = (
        PlaneConfidence(np.arange(2.0), np.arange(2.0), np.ones((2, 2)), np.full((2, 2), v)) for v in (1.0, 3.0)
    )
    assert margin_layer(ones, [ones, threes]).high == 3
    assert margin_layer(threes).high == 3


def made_up(w_of_x, side: int = 33) -> tuple[PlaneSmoothness, SlicePlane]:
    """W over the plane of `corners`, from votes that are split between two classes where `w_of_x` is true."""
    origin, toward, across = (corner.double().numpy() for corner in corners())
    plane = blank_plane(origin, toward, across, 33)
    x, y = (np.linspace(along[0], along[-1], side) for along in (plane.x, plane.y))
    rough = np.broadcast_to(w_of_x(x), (side, side)).ravel()
    votes = np.stack([np.where(rough, 32, 64), np.where(rough, 32, 0)], 1).astype(np.int64)
    measured = Smoothness(votes, Noise(0.3, 64, keys=range(len(votes))))
    return PlaneSmoothness(x, y, measured.w.reshape(side, side), np.ones((side, side), bool), measured), plane


def test_colours_of_w_end_above_the_largest_and_are_shared():
    calm, rough = (made_up(lambda x, end=end: x < end)[0] for end in (-9, 0.5))
    assert calm.w.max() == 0
    assert smoothness_layer(calm).high == 0.1  # next to nothing is not made to look like much
    assert smoothness_layer(calm, [rough]).high == smoothness_layer(rough, [calm]).high == 1
    assert scale_words(1.0) == "scale 0–1"
    assert scale_words(0.12) == "scale 0–0.12, fitted: W can reach 1"


def test_w_around_the_two_images_is_the_mean_over_the_discs():
    found, plane = made_up(lambda x: x < 0.5)
    around = surroundings(found, plane)
    assert around is not None
    assert around.radius == pytest.approx(1 / 3)
    for mean, x in ((around.clean, 0), (around.triggered, 1)):
        away = np.hypot(found.x[None] - x, found.y[:, None])
        assert mean.n == (away <= 1 / 3).sum() > 50
        assert mean.value == pytest.approx(found.w[away <= 1 / 3].mean(), abs=1e-9)
    assert around.clean.value > 0.99
    assert around.triggered.value == 0
    coarse, plane = made_up(lambda x: x < 0.5, side=6)
    assert surroundings(coarse, plane) is None


def around(clean: float, triggered: float, half: float = 0.02) -> Surroundings:
    means = [Estimate(value, value - half, value + half, 50) for value in (clean, triggered)]
    return Surroundings(*means, radius=0.3)


@pytest.mark.parametrize(("own", "control", "said"), [
    (around(0.31, 0.02), around(0.33, 0.33), "Calmer around the trigger, and not in the control."),
    (around(0.31, 0.02), around(0.33, 0.28), "Calmer around the trigger, more so than in the control."),
    (around(0.31, 0.02), around(0.31, 0.02), "Calmer around the trigger, but so is the control."),
    (around(0.02, 0.31), around(0.33, 0.28), "Rougher around the trigger, and not in the control."),
    (around(0.31, 0.30), around(0.33, 0.28), "No clear difference; the control is calmer around the trigger."),
    (around(0.31, 0.30), around(0.30, 0.30), "No clear difference."),
    (around(0.31, 0.02, half=0.3), around(0.33, 0.33), "No clear difference."),
])  # fmt: skip
def test_the_sentence_of_the_sea_follows_from_the_numbers(own, control, said):
    words = sea_words(own, control)
    assert words.startswith(f"**{said}** Around the trigger W is {own.triggered.value:.2f}, around the clean image")
    assert words.endswith(f"; in the control {control.triggered.value:.2f} and {control.clean.value:.2f}.")
    assert "control" not in sea_words(own)


def test_the_words_name_the_points_and_the_range(plane):
    words = describe_slice(plane, CLASSES, NAMES, margin_layer(confidence_over_plane(quadrants, plane, 9)))
    assert "clean: stop; with trigger: yield; a yield: stop." in words
    assert words.endswith("from 2.00 to 2.00.")


def test_cividis_goes_from_dark_to_light_without_turning():
    table = cividis().astype(float)
    assert table.shape == (256, 3)
    lightness = table @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > -0.5).all()  # bytes round
    assert lightness[-1] - lightness[0] > 150
