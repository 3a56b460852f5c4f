"""The slice as a Plotly figure shows the labels, the layers and the points of the plane, and says them in words."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.figures.palette import class_colour
from core.figures.slice import slice_alt, slice_figure
from core.figures.slice_layers import cividis, margin_layer, probability_layer, smoothness_layer
from core.slices import (
    PlaneConfidence,
    confidence_over_plane,
    slice_plane,
    smoothness_over_plane,
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


def test_the_heatmap_says_the_class_at_each_point_in_its_colour(plane):
    heatmap = slice_figure(plane, CLASSES, point_names=NAMES).data[0]
    assert np.array_equal(heatmap.customdata, np.array(CLASSES, object)[plane.labels])
    scale = [colour for _, colour in heatmap.colorscale]
    present = [class_colour(label) for label in (0, 1, 3)]
    assert scale == [colour for colour in present for _ in range(2)]
    for row, column in ((0, 0), (0, 32), (32, 32)):
        # Plotly's rule: the share of the way from zmin to zmax picks the colour.
        share = (heatmap.z[row][column] - heatmap.zmin) / (heatmap.zmax - heatmap.zmin)
        edges = [edge for edge, _ in heatmap.colorscale]
        inside = [colour for (edge, colour), following in zip(heatmap.colorscale, edges[1:], strict=False)
                  if edge < share < following]  # fmt: skip
        assert inside == [class_colour(plane.labels[row, column])]


def test_rings_have_radius_sigma_and_say_that_they_are_a_projection(plane):
    figure = slice_figure(plane, CLASSES, point_names=NAMES, sigma=0.3)
    for x, y in (plane.points["origin"], plane.points["toward"]):
        assert any(
            (shape.x0, shape.x1, shape.y0, shape.y1) == pytest.approx((x - 0.3, x + 0.3, y - 0.3, y + 0.3))
            for shape in figure.layout.shapes
        )
    texts = " ".join(note.text for note in figure.layout.annotations)
    assert "projection" in texts
    assert "2.4" in texts  # 0.3 sqrt(64)
    for name in (*NAMES.values(), "stop", "yield", "crossing"):
        assert name in texts
    assert not slice_figure(plane, CLASSES, point_names=NAMES).layout.shapes


def test_layers_show_their_own_numbers_with_the_borders_on_top(plane):
    confidence = confidence_over_plane(quadrants, plane, 9)
    smoothness = smoothness_over_plane(quadrants, plane, 0.2, 32, resolution=9)
    for layer, values, high in (
        (probability_layer(confidence), confidence.probability, 1),
        (margin_layer(confidence), confidence.margin, 2),
        (smoothness_layer(smoothness), smoothness.w, 1),
    ):
        figure = slice_figure(plane, CLASSES, point_names=NAMES, layer=layer)
        heatmap = figure.data[0]
        assert np.array_equal(heatmap.z, values)
        assert (heatmap.zmin, heatmap.zmax) == (0, high)
        assert (heatmap.x[0], heatmap.x[-1]) == (plane.x[0], plane.x[-1])
        assert sum(trace.type == "contour" for trace in figure.data) >= 2
        assert layer.title in slice_alt(plane, CLASSES, NAMES, layer)
    assert "9 × 9 points, 32 draws each" in smoothness_layer(smoothness).note
    assert smoothness_layer(smoothness).title == "W at σ = 0.2"
    first = next(smoothness_over_plane_steps(quadrants, plane, 0.2, 8, resolution=9))
    assert "9 of 81 points so far" in smoothness_layer(first).note


def test_margins_of_several_slices_share_a_scale():
    ones, threes = (
        PlaneConfidence(np.arange(2), np.arange(2), np.ones((2, 2)), np.full((2, 2), v)) for v in (1.0, 3.0)
    )
    assert margin_layer(ones, [ones, threes]).high == 3
    assert margin_layer(threes).high == 3


def test_the_words_name_the_points_and_the_range(plane):
    words = slice_alt(plane, CLASSES, NAMES, margin_layer(confidence_over_plane(quadrants, plane, 9)))
    assert "clean: stop; with trigger: yield; a yield: stop." in words
    assert words.endswith("from 2.00 to 2.00.")


def test_cividis_goes_from_dark_to_light_without_turning():
    table = cividis().astype(float)
    assert table.shape == (256, 3)
    lightness = table @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > -0.5).all()  # bytes round
    assert lightness[-1] - lightness[0] > 150
