"""What is said of W over sigma: where it is clearest, where curves cross, and W's formula with the votes plugged in."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from core.attacks.triggers import make_preset
from core.datasets import load_dataset, load_test
from core.datasets.signs import sign_image
from core.figures.pairs import paired_scatter
from core.figures.sigma_sweep import sigma_sweep
from core.instruments.certificate import Certificate
from core.instruments.estimators import entropy
from core.instruments.noise import Noise
from core.instruments.smoothness import Smoothness
from core.instruments.statistics import Estimate
from core.runs.measured.findings import (
    basis_in_words,
    certificate_in_words,
    change,
    clearest_sigma,
    crossings,
    direction,
    finding,
    formula_in_words,
    sweep_in_words,
)
from core.runs.measured.spec import make_measure_spec
from core.runs.measured.w import Measured, Measurement, measure_model

TRIGGER = make_preset("white-corner", (1, 8, 8))
CLASSES = "abcd"


def side(certain: float, images: int = 80, favourite: int = 0) -> Measured:
    """Return images whose votes go to one class by this share on average, and else to all alike."""
    shares = np.random.default_rng(7).uniform(-0.05, 0.05, images) + certain
    votes = np.round(100 * (1 - shares[:, None]) * np.full(4, 0.25)).astype(int)
    votes[:, favourite] += 100 - votes.sum(1)
    ones = np.ones(images)
    return Measured(votes=votes, noise=Noise(0.5, 100), predicted=votes.argmax(1), confidence=ones, margin=ones)


def measured(sigma: float, clean: float, triggered: float, noise_class: int = 0) -> Measurement:
    spec = make_measure_spec(trigger=TRIGGER, target=0, sigma=sigma, draws=100)
    return Measurement(
        spec=spec,
        chosen=np.arange(80),
        true=np.ones(80, int),
        clean=side(clean, favourite=noise_class),
        triggered=side(triggered),
        target_chosen=np.arange(0),
        target_class=side(0.5, 0),
    )


SMOOTHER, ROUGHER, EQUAL = (0.3, 0.8), (0.9, 0.5), (0.6, 0.6)


def test_the_clearest_sigma_is_that_of_the_largest_gap_beyond_the_control():
    sweep = [measured(0.1, *EQUAL), measured(0.2, 0.5, 0.8), measured(0.5, *SMOOTHER)]
    assert clearest_sigma(sweep, None) == 0.5
    alike = [measured(0.1, *EQUAL), measured(0.2, *EQUAL), measured(0.5, *SMOOTHER)]
    assert clearest_sigma(sweep, alike) == 0.2  # at 0.5 the control shows the same
    assert clearest_sigma(sweep, sweep) is None
    assert clearest_sigma([measured(0.1, *EQUAL)], None) is None
    assert clearest_sigma([measured(0.1, *EQUAL), measured(0.2, *ROUGHER)], None) == 0.2


def test_a_crossing_lies_between_clear_gaps_of_opposite_sign():
    sweep = [measured(0.1, *SMOOTHER), measured(0.2, *EQUAL), measured(0.4, *ROUGHER, noise_class=2)]
    found = crossings(sweep)
    assert len(found) == 1
    assert 0.1 < found[0].sigma < 0.4
    assert (found[0].smoother_below, found[0].below, found[0].above) == (True, 0.1, 0.4)
    text = sweep_in_words(sweep, CLASSES)
    assert "lower with the trigger at σ = 0.1;" in text
    assert "**higher** with the trigger at σ = 0.4;" in text
    assert "not clearly different at σ = 0.2." in text
    assert f"σ ≈ {found[0].sigma:.2g}" in text
    assert "noisy copies are most often *c* without the trigger" in text


def test_curves_that_only_touch_do_not_cross():
    assert crossings([measured(0.1, *SMOOTHER), measured(0.2, *EQUAL)]) == []
    assert crossings([measured(0.1, *SMOOTHER), measured(0.2, *EQUAL), measured(0.4, *SMOOTHER)]) == []
    assert "cross" not in sweep_in_words([measured(0.1, *SMOOTHER), measured(0.2, *EQUAL)], CLASSES)


def test_the_place_of_a_crossing_is_interpolated_in_log_sigma():
    low, high = measured(0.1, *SMOOTHER), measured(0.4, SMOOTHER[1], SMOOTHER[0])  # gaps equal but for their sign
    assert low.gap.value == pytest.approx(-high.gap.value)
    assert crossings([low, high])[0].sigma == pytest.approx(0.2)


def test_the_figure_marks_the_crossing_and_shows_bands_of_both_runs():
    sweep = [measured(0.1, *SMOOTHER), measured(0.4, *ROUGHER)]
    figure = sigma_sweep({"this": sweep, "other": [measured(0.1, *EQUAL)]}, sigmas=[0.1, 0.2, 0.4])
    assert any("cross near" in note.text for note in figure.layout.annotations)
    assert sum(trace.fill == "toself" for trace in figure.data) == 4
    assert list(figure.layout.xaxis.tickvals) == [0.1, 0.2, 0.4]


def test_the_pairs_are_points_that_carry_their_image():
    one = measured(0.1, *SMOOTHER)
    figure = paired_scatter({"this": one, "other": measured(0.1, *EQUAL)}, [5], CLASSES)
    points = next(trace for trace in figure.data if trace.name == "this")
    assert np.array_equal(points.x, one.clean.w)
    assert np.array_equal(points.y, one.triggered.w)
    assert np.array_equal(points.customdata, one.chosen)
    ring = figure.data[-1]
    assert (ring.x[0], ring.y[0]) == (one.clean.w[5], one.triggered.w[5])


def test_the_formula_gives_the_plug_in_and_the_shown_w_is_the_corrected_one():
    votes = np.array([51, 0, 23, 12, 8, 4, 2, 0, 0, 0])
    text = formula_in_words(votes)
    shares = [float(share) for share in re.findall(r"([\d.]+) ln", text)]
    assert sum(shares) == pytest.approx(1)
    by_hand = -sum(share * np.log(share) for share in shares) / np.log(10)
    assert f"= {by_hand:.3f}; corrected for having only 100 draws" in text
    assert f"**{entropy(votes[None])[0]:.3f}**" in text
    assert "(1 ln 1) / ln 3 = 0.000;" in formula_in_words(np.array([0, 100, 0]))


def test_a_certificate_is_told_in_words():
    def words(label, radius):
        return certificate_in_words(
            Certificate(np.array([label]), np.array([0.9]), np.array([radius]), 0.5, 0.001), "ab"
        )

    assert "Certified: no change smaller than 0.71 (L2" in words(1, 0.71)
    assert "can stop b from winning under noise (confidence 99.9%)" in words(1, 0.71)
    assert "No guarantee" in words(-1, 0.0)


def test_a_finding_says_when_there_is_no_gap_and_names_what_it_rests_on():
    assert "no clear gap at this σ" in finding(measured(0.1, *EQUAL), CLASSES)
    assert "gap at this" not in finding(measured(0.1, *SMOOTHER), CLASSES)
    assert "80 test images, 100 noisy copies each, one training (seed 4), one σ." in basis_in_words(
        measured(0.1, *EQUAL), 4
    )
    assert "seed" not in basis_in_words(measured(0.1, *EQUAL), None)


def test_a_finding_calls_other_runs_by_name_and_says_whose_trigger_they_wear():
    mine, theirs = measured(0.1, *SMOOTHER), measured(0.1, *EQUAL)
    beside = finding(mine, CLASSES, {"Control": theirs}, "Control")
    assert "In the control it is " in beside
    assert "no clear difference" not in beside
    assert "**no clear difference between the two**" in finding(mine, CLASSES, {"Control": mine}, "Control")
    assert "With the same trigger on Frame the gap is" in finding(mine, CLASSES, {"Frame": theirs})
    frame = make_measure_spec(trigger=make_preset("frame", (1, 8, 8)), target=0, sigma=0.1, draws=100)
    own = replace(measured(0.1, *ROUGHER), spec=frame)
    gap = f"{own.clean.mean.value:.2f} → {own.triggered.mean.value:.2f}, gap −"
    assert f"Frame with its own trigger: {gap}" in finding(mine, CLASSES, {"Frame": own})
    assert "With the same trigger" not in finding(mine, CLASSES, {"Frame": own})


def test_a_measurement_continued_is_the_measurement_made_at_once(poisoned, data_root):
    data = poisoned.dataset(data_root)
    spec = make_measure_spec(trigger=poisoned.trigger, target=0, images=9, sigma=0.5, draws=40)
    predictor = poisoned.predictor()
    few = measure_model(predictor, data, spec.model_copy(update={"draws": 16}))
    continued, at_once = measure_model(predictor, data, spec, few), measure_model(predictor, data, spec)
    for name in ("clean", "triggered", "target_class"):
        assert np.array_equal(getattr(continued, name).votes, getattr(at_once, name).votes)
    assert continued.spec == spec
    assert few.clean.votes.sum() == 9 * 16


def test_test_images_alone_are_the_ones_that_come_with_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr("core.datasets.signs.TEST_PER_CLASS", 2)
    monkeypatch.setattr("core.datasets.signs.TRAIN_PER_CLASS", 1)
    alone = load_test("signs", tmp_path)
    assert (len(alone.train), alone.shape, len(alone.test)) == (0, (3, 32, 32), 20)
    assert np.array_equal(alone.test.images[5], sign_image(2, 1, test=True))
    assert not (tmp_path / "signs" / "signs-1.npz").exists()
    whole = load_dataset("signs", tmp_path)
    assert (whole.test.images == alone.test.images).all()
    assert (whole.test.labels == alone.test.labels).all()
    assert (whole.fingerprint, whole.classes) == (alone.fingerprint, alone.classes)
    assert len(load_test("signs", tmp_path).train) == 10  # what is there whole is taken whole
    assert len(load_test("digits", tmp_path).train) == 1438


@pytest.mark.parametrize(("gap", "control", "says"), [
    ((0.3, 0.2, 0.4), None, "smoother"),
    ((-0.3, -0.4, -0.2), None, "rougher"),
    ((0.1, -0.1, 0.3), None, "undecided"),
    ((0.1, 0.0, 0.3), None, "undecided"),
    # What the control shows as well is not the trigger's doing.
    ((0.3, 0.2, 0.4), (0.2, 0.1, 0.3), "undecided"),
    ((0.5, 0.4, 0.6), (0.2, 0.1, 0.3), "smoother"),
    ((0.1, 0.05, 0.2), (-0.3, -0.4, -0.2), "smoother"),
    ((-0.1, -0.2, -0.05), (0.3, 0.2, 0.4), "rougher"),
    ((-0.3, -0.4, -0.2), (-0.3, -0.4, -0.2), "undecided"),
])  # fmt: skip
def test_a_gap_is_clear_only_beyond_zero_and_beyond_the_control(gap, control, says):
    assert direction(Estimate(*gap), None if control is None else Estimate(*control)) == says


def test_w_of_one_image_changed_only_where_the_intervals_do_not_overlap():
    high, low, wide = Estimate(0.8, 0.7, 0.9), Estimate(0.2, 0.1, 0.3), Estimate(0.5, 0.25, 0.75)
    assert (change(high, low), change(low, high)) == ("smoother", "rougher")
    assert change(high, wide) == change(wide, high) == change(low, wide) == "undecided"
    votes = Smoothness(np.array([[9, 1], [5, 5]]), Noise(0.5, 10))
    assert votes.estimate_of(1) == Estimate(votes.w[1], votes.low[1], votes.high[1])
