"""Results draw themselves: what their figures and tables hold."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from core.attacks.triggers import make_preset
from core.drawing import Drawn
from core.figures.palette import CLASSES
from core.instruments.detectors.comparison import Comparison
from core.instruments.detectors.roc import scored_groups
from core.instruments.noise import Noise
from core.instruments.slices.line import line_between
from core.instruments.slices.refine import slice_plane
from core.instruments.smoothness import Pair, Smoothness
from core.instruments.trigger_sweep import TriggerSweep
from core.runs.measured.spec import make_measure_spec
from core.runs.measured.w import Measured, Measurement

ROUGH, SMOOTH = [[25, 25, 25, 25]] * 6, [[100, 0, 0, 0]] * 6


def smoothness(votes: list[list[int]]) -> Smoothness:
    return Smoothness(np.array(votes), Noise(0.5, 100, 3))


def measurement() -> Measurement:
    ones = np.ones(6)

    def measured(votes: list[list[int]]) -> Measured:
        plain = np.array(votes).argmax(1)
        return Measured(votes=np.array(votes), noise=Noise(0.5, 100, 3), predicted=plain, confidence=ones, margin=ones)

    return Measurement(
        spec=make_measure_spec(trigger=make_preset("white-corner", (1, 8, 8)), target=0, sigma=0.5),
        chosen=np.arange(10, 16),
        true=np.ones(6, int),
        clean=measured(ROUGH),
        triggered=measured(SMOOTH),
        target_chosen=np.arange(0),
        target_class=measured(ROUGH),
    )


def quadrants(images: torch.Tensor) -> torch.Tensor:
    """Class 0, 1 or 11: right of 0.5 or not, and there above 0.5 or not."""
    right, up = images[:, 0, 0, 0] > 0.5, images[:, 0, 0, 1] > 0.5
    return torch.nn.functional.one_hot(right + 10 * (right & up).long(), 12).float()


def corners() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    origin, toward, across = (torch.zeros(1, 8, 8) for _ in range(3))
    toward[0, 0, 0], across[0, 0, 1] = 1, 1
    return origin, toward, across


def test_a_measurement_draws_a_point_for_each_image():
    result = measurement()
    (points,) = result.figure().data
    assert np.array_equal(points.x, result.clean.w)
    assert np.array_equal(points.y, result.triggered.w)
    assert np.array_equal(points.customdata, result.chosen)


def test_a_pair_draws_both_histograms():
    up, down = Pair(smoothness(ROUGH), smoothness(SMOOTH)).figure().data
    assert (up.y[-1], up.y.sum()) == (6, 6)
    assert (down.y[0], down.y.sum()) == (-6, -6)


def test_a_pair_is_a_table_in_a_notebook():
    table = measurement()._repr_html_()
    assert "6 images, σ = 0.5, 100 draws, seed 3" in table
    assert "<th>W clean</th><td>1.000</td>" in table
    assert "<th>W triggered</th><td>0.000</td>" in table
    assert "<th>gap</th><td>1.000</td>" in table
    few = Pair(smoothness(ROUGH), smoothness([[10, 0, 0, 0]] * 6))
    assert "10 to 100 draws" in few._repr_html_()


def test_a_slice_draws_its_classes_its_corners_and_their_names():
    plane = slice_plane(quadrants, *corners(), 33)
    heatmap, *classes, spanning = plane.figure().data
    assert np.array_equal(heatmap.z, plane.labels % len(CLASSES))
    assert [trace.name for trace in classes] == ["class 0", "class 1", "class 11"]
    assert heatmap.text[0, 0] == "class 0"
    # The colour of a cell is the one that its class has in the legend.
    for trace, label in zip(classes, (0, 1, 11), strict=True):
        share = (label % len(CLASSES) + 0.5) / len(CLASSES)
        below = [colour for at, colour in heatmap.colorscale if at <= share]
        assert below[-1] == trace.marker.color
    assert dict(zip(spanning.text, zip(spanning.x, spanning.y, strict=True), strict=True)) == plane.points


def test_lines_sweeps_and_detectors_draw_themselves():
    line = line_between(quadrants, *corners()[:2])
    assert "class 1" in [trace.name for trace in line.figure().data]
    sweep = TriggerSweep((0.1, 0.5), (smoothness(ROUGH),) * 2, {"dot": (smoothness(SMOOTH),) * 2}, {"dot": 0.5}, 100, 3)
    assert "dot (ASR 50%)" in [trace.name for trace in sweep.figure().data]
    one = scored_groups(np.array([2.0, 3.0]), np.array([0.0, 1.0]), np.zeros(0), np.linspace(0, 1, 40), 0.05)
    figure = Comparison(1, "done", by_image={"W": one}).figure()
    assert figure.data[-1].name == "W, AUC 1.00"
    assert figure.layout.shapes[-1].x0 == 0.05


def test_what_nobody_says_how_to_draw_is_refused():
    class Unknown(Drawn):
        pass

    with pytest.raises(TypeError, match="no figure of Unknown"):
        Unknown().figure()


def test_results_do_without_plotly_until_they_are_drawn():
    code = "import sys, core.instruments.smoothness, core.runs.measured.w; print('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"False"
