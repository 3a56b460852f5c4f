"""The line from one image to another says what the model predicts on the way, and where that changes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from core.errors import InputError
from core.figures.line import line_figure, line_words
from core.instruments.slices.line import LabelChange, line_between

START, END = torch.zeros(1, 8, 8), torch.zeros(1, 8, 8)
END[0, 0, :4] = 0.5


def three_steps(images: torch.Tensor) -> torch.Tensor:
    """Classes 0, 1, 2 up to and from 0.3 and 0.9 of the way, with known probabilities."""
    along = images[:, 0, 0, 0] / 0.5
    return torch.stack([10 * (0.3 - along), 0 * along, 10 * (along - 0.9)], 1)


def test_the_walk_ends_beyond_the_end_and_knows_its_length():
    line = line_between(three_steps, START, END, points=11, beyond=0.5)
    assert line.t == pytest.approx(np.arange(16) / 10)
    assert line.length == pytest.approx(1.0)
    assert line.probability.sum(1) == pytest.approx(np.ones(16))
    expected = np.exp([3.0, 0.0, -9.0])
    assert line.probability[0] == pytest.approx(expected / expected.sum(), abs=1e-6)
    assert (line.labels == line.probability.argmax(1)).all()


def test_changes_lie_where_the_classes_cross():
    changes = line_between(three_steps, START, END).changes
    assert [(change.before, change.after) for change in changes] == [(0, 1), (1, 2)]
    assert [change.at for change in changes] == pytest.approx([0.3, 0.9], abs=0.011)
    assert line_between(three_steps, START, END, points=2, beyond=0).changes == [LabelChange(0.5, 0, 2)]


def test_the_walk_is_told_in_words():
    classes = ("a", "b", "c")
    words = line_words(line_between(three_steps, START, END, points=101), classes)
    assert words == "The prediction is a at first, then b from 30%, c from 90% of the way."
    still = line_between(lambda images: images.flatten(1)[:, :3] * 0, START, END)
    assert line_words(still, classes) == "The prediction is a along the whole line."


def test_the_figure_has_a_curve_a_class_and_a_strip_of_the_predicted_ones():
    line = line_between(three_steps, START, END)
    figure = line_figure(line, ("a", "b", "c"))
    curves = {trace.name: trace for trace in figure.data}
    for label, name in enumerate("abc"):
        assert np.asarray(curves[name].y) == pytest.approx(line.probability[:, label])
    strip = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    edges = [0, *(change.at for change in line.changes), 1.25]
    assert [(shape.x0, shape.x1) for shape in strip] == [pytest.approx(pair) for pair in pairwise(edges)]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((START, START), "same image"),
        ((START, END[0]), "one shape"),
        ((START, torch.zeros(1, 9, 9)), "one shape"),
        ((START, END * torch.nan), "NaN"),
        ((START, END, 1), "no line"),
        ((START, END, 11, -0.1), "no line"),
    ],
)
def test_what_is_no_walk_is_refused_in_one_sentence(arguments, match):
    with pytest.raises(InputError, match=match):
        line_between(three_steps, *arguments)
