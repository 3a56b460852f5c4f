"""The gallery's numbers are those of its models, its sentences those of its numbers, and it shows both outcomes."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.runs.library.card import card
from core.runs.measured.w import measure_run, page_attack_spec, stored_measurement
from core.runs.run import Run
from core.runs.shipped.gallery import GALLERY, Exhibit, Point, exhibits


def exhibit(*gaps: tuple[float, float, float], control: tuple[float, float, float] = (0.0, -0.01, 0.01)) -> Exhibit:
    points = tuple(
        Point(0.1 * (place + 1), 0.5, round(0.5 - gap[0], 3), gap, control, 0.4, round(0.4 - control[0], 3))
        for place, gap in enumerate(gaps)
    )
    return Exhibit(Run(GALLERY), Run(GALLERY), "", "", points, np.zeros((2, 1, 8, 8), np.uint8))


@pytest.mark.parametrize(("shown", "words"), [
    (exhibit((0.3, 0.2, 0.4), (0.0, -0.1, 0.1)), "W falls more than in the control, most at σ = 0.1: 0.50 without"),
    (exhibit((-0.3, -0.4, -0.2), (0.0, -0.1, 0.1)), "than in the control; at 1 of 2 it rises more, most at σ = 0.1"),
    (exhibit((-0.3, -0.4, -0.2), (0.3, 0.2, 0.4)), "against the control W falls at σ = 0.2 and rises at σ = 0.1."),
    (exhibit((0.0, -0.1, 0.1)), "At none of 1 noise levels"),
    # A fall that the control shows as well is none.
    (exhibit((0.3, 0.2, 0.4), control=(0.3, 0.2, 0.4)), "At none of 1 noise levels"),
    # Nor is a rise that it shows as well, and that is said.
    (exhibit((-0.3, -0.4, -0.2), control=(-0.3, -0.4, -0.2)), "At σ = 0.1 it rises, but not clearly more than in the"),
])  # fmt: skip
def test_the_sentence_follows_from_the_numbers(shown, words):
    assert words in shown.summary


@pytest.mark.parametrize(("shown", "words"), [
    (exhibit((0.3, 0.2, 0.4), (0.0, -0.1, 0.1)), "The effect shows at 1 of 2 noise levels."),
    (exhibit((-0.3, -0.4, -0.2), (0.0, -0.1, 0.1)), "The opposite shows at 1 of 2 noise levels."),
    (exhibit((-0.3, -0.4, -0.2), (0.3, 0.2, 0.4)), "It depends on the noise."),
    (exhibit((0.0, -0.1, 0.1)), "The effect shows at none of 1 noise levels."),
    (exhibit((0.3, 0.2, 0.4), control=(0.3, 0.2, 0.4)), "The effect shows at none of 1 noise levels."),
])  # fmt: skip
def test_the_first_line_says_whether_the_effect_shows(shown, words):
    assert shown.verdict.startswith(words)


def test_it_shows_where_the_claim_holds_and_where_it_fails():
    summaries = [shown.summary for shown in exhibits()]
    assert len(summaries) >= 10
    assert sum("levels W falls more than in the control" in words for words in summaries) >= 3
    assert sum(words.startswith(("At no ", "At none")) for words in summaries) >= 2


def test_every_exhibit_is_a_whole_run_with_its_control():
    for shown in exhibits():
        assert shown.run.name == shown.run.spec.hash
        assert shown.control.name == shown.run.spec.control().hash
        assert len(shown.run.epochs) == shown.run.spec.epochs
        assert shown.run.result.attack_success_rate is not None
        stamped = shown.run.trigger.stamp(shown.pictures[:1])
        assert np.array_equal(stamped, shown.pictures[1:])
    assert sum(path.stat().st_size for path in GALLERY.rglob("*") if "measures" not in path.parts) < 2_000_000


def test_the_numbers_are_those_of_the_models(tmp_path, data_root):
    """On another processor a few votes may differ: W by far less than its interval."""
    shown = exhibits()[0]
    for stored, gap in ((shown.run, "gap"), (shown.control, "control_gap")):
        copy = Run(shutil.copytree(stored.path, tmp_path / stored.name, ignore=shutil.ignore_patterns("measures")))
        for point in shown.points[1:4:2]:
            spec = page_attack_spec(shown.run.spec.attack, point.sigma)
            found = measure_run(copy, spec, data_root)
            assert found.gap.value == pytest.approx(getattr(point, gap)[0], abs=0.01)
            if gap == "gap":
                assert found.clean.mean.value == pytest.approx(point.clean, abs=0.01)
                assert found.triggered.mean.value == pytest.approx(point.triggered, abs=0.01)


def test_every_shipped_run_is_measured_as_the_pages_show_it():
    for shown in exhibits():
        for run in (shown.run, shown.control):
            for point in shown.points:
                measured = stored_measurement(run, page_attack_spec(shown.run.spec.attack, point.sigma))
                assert measured is not None
                gap = point.gap if run is shown.run else point.control_gap
                means = (
                    (point.clean, point.triggered)
                    if run is shown.run
                    else (point.control_clean, point.control_triggered)
                )
                assert (measured.clean.mean.value, measured.triggered.mean.value) == pytest.approx(means, abs=1e-4)
                assert measured.gap.value == pytest.approx(gap[0], abs=1e-4)
        assert card(shown.run).gap is not None


def test_a_shipped_model_has_the_weights_that_its_training_left():
    for shown in exhibits():
        for run in (shown.run, shown.control):
            weights = load_file(run.path / "model.safetensors")
            assert {tensor.dtype for tensor in weights.values() if tensor.is_floating_point()} == {torch.float32}
            assert run.epochs[-1].clean_accuracy == run.result.clean_accuracy
