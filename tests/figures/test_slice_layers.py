"""The layers of a slice: their numbers, their scale, and what is said of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.figures.slice_layers import cividis, margin_layer, probability_layer, smoothness_layer
from core.figures.slice_words import describe_slice
from core.instruments.slices.refine import (
    PlaneConfidence,
    confidence_over_plane,
    slice_plane,
    smoothness_over_plane_steps,
)

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
        (smoothness_layer(smoothness), smoothness.w, 1),
    ):
        assert np.array_equal(layer.values, values)
        assert (layer.low, layer.high) == (0, high)
        assert layer.title in describe_slice(plane, CLASSES, NAMES, layer)
    assert "9 × 9 points, 32 draws each" in smoothness_layer(smoothness).note
    assert smoothness_layer(smoothness).title == "W at σ = 0.2"
    first = next(smoothness_over_plane_steps(quadrants, plane, 0.2, 8, resolution=9))
    assert "9 of 81 points so far" in smoothness_layer(first).note


def test_margins_of_several_slices_share_a_scale():
    ones, threes = (
        PlaneConfidence(np.arange(2.0), np.arange(2.0), np.ones((2, 2)), np.full((2, 2), v)) for v in (1.0, 3.0)
    )
    assert margin_layer(ones, [ones, threes]).high == 3
    assert margin_layer(threes).high == 3


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
