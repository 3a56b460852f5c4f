"""What is kept with a run is computed once, whoever asks, and one image has one W."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from core.instruments.budgets import PAGE, PAGE_STEPS
from core.instruments.predictor import Predictor
from core.instruments.slices.choice import PlaneChoice, spanning_images
from core.instruments.slices.refine import look_at_point, slice_plane
from core.runs.measured.cache import kept_arrays, kept_json
from core.runs.measured.w import measure_model, measure_run, measure_steps, page_attack_spec, stored_measurement
from core.runs.run import Run
from core.studies.cell import Cell, TestCondition
from core.studies.cells import compute_cell

SIGMA = 0.5


@pytest.fixture
def run(poisoned, tmp_path):
    copied = shutil.copytree(poisoned.path, tmp_path / poisoned.name, ignore=shutil.ignore_patterns("measures"))
    return Run(copied).finished()


@pytest.fixture
def no_votes(monkeypatch):
    """Return what forbids to count votes from now on."""

    def forbid():
        def votes(*_):
            raise AssertionError("votes are counted again")

        monkeypatch.setattr(Predictor, "votes", votes)

    return forbid


def study_cell(run, spec):
    condition = TestCondition(kind="patch", size=2, opacity=1.0, measures=(spec,))
    return compute_cell(Cell(spec=run.spec, conditions=(condition,)), run.path.parent, lambda _: run.dataset())


def test_what_a_study_measured_explore_does_not_measure_again(run, data_root, no_votes):
    spec = page_attack_spec(run.spec.attack, SIGMA)
    result = study_cell(run, spec)
    assert result.failure == ""
    no_votes()
    (measured,) = measure_steps(run, spec, run.predictor, run.dataset)
    assert result.rows[0].w_clean == pytest.approx(measured.clean.mean.value, abs=1e-6)
    assert result.rows[0].gap == pytest.approx(measured.gap.value, abs=1e-6)


def test_what_explore_measured_a_study_does_not_measure_again(run, data_root, no_votes):
    spec = page_attack_spec(run.spec.attack, SIGMA)
    *_, measured = measure_steps(run, spec, run.predictor, run.dataset)
    no_votes()
    result = study_cell(run, spec)
    assert result.failure == ""
    assert result.rows[0].w_triggered == pytest.approx(measured.triggered.mean.value, abs=1e-6)


def test_steps_get_better_and_the_last_is_kept(run, no_votes):
    spec = page_attack_spec(run.spec.attack, SIGMA)
    steps = measure_steps(run, spec, run.predictor, run.dataset)
    first = next(steps)
    steps.close()  # a person moves on
    assert stored_measurement(run, spec) is None
    again = measure_steps(run, spec, run.predictor, run.dataset)
    assert np.array_equal(next(again).clean.votes, first.clean.votes)
    assert [measured.spec.draws for measured in again] == [PAGE_STEPS[1], PAGE.draws]
    whole = stored_measurement(run, spec)
    no_votes()
    assert np.array_equal(measure_run(run, spec).clean.votes, whole.clean.votes)


def test_more_draws_begin_with_the_ones_that_were_kept(run, no_votes):
    few, many = (page_attack_spec(run.spec.attack, SIGMA, draws=draws) for draws in (PAGE.draws, 400))
    measure_run(run, few)
    steps = list(measure_steps(run, many, run.predictor, run.dataset))
    assert [measured.spec.draws for measured in steps] == [100, 200, 400]
    whole = measure_model(run.predictor(), run.dataset(), many)
    assert np.array_equal(steps[-1].triggered.votes, whole.triggered.votes)
    assert steps[-1].half_width == pytest.approx(steps[0].half_width / 2, abs=0.02)
    no_votes()
    assert np.array_equal(measure_run(run, many).clean.votes, whole.clean.votes)


def test_one_image_has_one_w_wherever_a_page_shows_it(run):
    """Among the samples, at its point of the slice: the same draws of the same noise, so the same number to the bit."""
    data, predictor = run.dataset(), run.predictor()
    measured = measure_run(run, page_attack_spec(run.spec.attack, SIGMA))
    number = int(measured.clean.w.argmax())
    place = int(measured.chosen[number])
    images = spanning_images(PlaneChoice(kind="random"), data, place, run.spec.attack.trigger)
    plane = slice_plane(predictor, images.origin, images.toward, images.across, 9)
    there = look_at_point(predictor, plane, *plane.points["origin"], SIGMA, key=place)
    assert np.array_equal(there.smoothness.votes[0], measured.clean.votes[number])
    assert there.smoothness.w[0] == measured.clean.w[number]


def test_a_result_that_cannot_be_kept_is_computed_all_the_same(tmp_path):
    (tmp_path / "measures").write_text("a file where a folder should be")
    assert kept_json("w-x", int).get(Run(tmp_path), lambda: 3) == 3


@pytest.mark.parametrize("content", [b"", b"{", b'"three"', b"\xff", b"[" * 10_000])
def test_a_damaged_result_counts_as_none(tmp_path, content):
    kept = kept_json("success-x", int)
    kept.store(Run(tmp_path), 3)
    assert kept.look_up(Run(tmp_path)) == 3
    kept.path(Run(tmp_path)).write_bytes(content)
    assert kept.look_up(Run(tmp_path)) is None
    assert kept.get(Run(tmp_path), lambda: 4) == kept.look_up(Run(tmp_path)) == 4


def test_objects_in_an_array_file_are_never_loaded(tmp_path):
    kept = kept_arrays("w-x", lambda value: {"value": value}, lambda arrays: arrays["value"])
    kept.store(Run(tmp_path), np.array([3]))
    assert kept.look_up(Run(tmp_path)) == [3]
    with kept.path(Run(tmp_path)).open("wb") as file:
        np.savez(file, value=np.array([{}], dtype=object))
    assert kept.look_up(Run(tmp_path)) is None
