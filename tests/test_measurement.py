"""A measurement of a run: the paper's first claim on a patch, the control beside it, caching, and pairing."""

from __future__ import annotations

import numpy as np
import pytest

from core.estimators import entropy
from core.findings import finding
from core.measurement import Measurement, Side, attack_success_on, measure_run
from core.spec import make_measure_spec

SIGMA = 0.5


@pytest.fixture(scope="module")
def spec(poisoned):
    return make_measure_spec(trigger=poisoned.trigger, target=0, images=100, sigma=SIGMA, draws=100)


@pytest.fixture(scope="module")
def attacked(poisoned, spec, data_root):
    return measure_run(poisoned, spec, data_root)


@pytest.fixture(scope="module")
def innocent(control, spec, data_root):
    return measure_run(control, spec, data_root)


def test_the_patch_smooths_the_poisoned_model_and_not_its_control(attacked, innocent):
    assert attacked.triggered.mean.mean < 0.5 * attacked.clean.mean.mean
    assert innocent.triggered.mean.mean > 0.8 * innocent.clean.mean.mean
    assert attacked.gap.low > 0
    assert attacked.p_triggered_lower > 0.95
    assert attacked.p_value < 1e-6


def test_what_was_measured_is_what_the_definition_says(attacked, poisoned, data_root):
    test = poisoned.dataset(data_root).test
    assert len(attacked.chosen) == 100
    assert (test.labels.numpy()[attacked.chosen] == attacked.true).all()
    assert (attacked.true != 0).all()
    assert (attacked.clean.votes.sum(1) == 100).all()
    assert attacked.gap.mean == pytest.approx((attacked.clean.w - attacked.triggered.w).mean())
    assert attacked.flipped.mean() > 0.95


def test_images_taken_for_the_target_are_measured_beside(attacked, poisoned, data_root):
    from core.evaluation import to_unit
    from core.predictor import Predictor

    images = to_unit(poisoned.dataset(data_root).test.images[attacked.target_chosen])
    assert (Predictor(poisoned.model()).labels(images) == 0).all()
    assert 30 <= len(attacked.target_chosen) <= 40


def test_a_subset_gets_the_same_votes_whatever_stands_beside_it(attacked, poisoned, data_root):
    few = measure_run(poisoned, attacked.spec.model_copy(update={"images": 7}), data_root)
    assert np.array_equal(few.clean.votes, attacked.clean.votes[:7])
    assert np.array_equal(few.triggered.votes, attacked.triggered.votes[:7])


def test_a_measurement_is_stored_and_read_back_whole(attacked, poisoned, data_root, monkeypatch):
    monkeypatch.setattr("core.measurement.measure_model", None)  # would fail if it were measured again
    again = measure_run(poisoned, attacked.spec, data_root)
    for name in ("clean", "triggered", "target_class"):
        for part in ("votes", "predicted", "confidence", "margin"):
            assert np.array_equal(getattr(getattr(again, name), part), getattr(getattr(attacked, name), part))
    assert np.array_equal(again.chosen, attacked.chosen)


def test_the_control_does_not_know_the_trigger(control, poisoned, data_root):
    rate = attack_success_on(control, poisoned.trigger, 0, data_root)
    assert rate.value <= 0.02
    assert attack_success_on(control, poisoned.trigger, 0, data_root) == rate
    assert attack_success_on(poisoned, poisoned.trigger, 0, data_root) == poisoned.result.attack_success_rate


def made_up(clean, triggered, target):
    def side(votes):
        votes = np.array(votes)
        return Side(votes, votes.argmax(1), np.ones(len(votes)), np.ones(len(votes)), "plug-in")

    spec = make_measure_spec(trigger=made_up.trigger, target=0, sigma=0.5, draws=100)
    count = len(clean)
    return Measurement(spec, np.arange(count), np.ones(count), side(clean), side(triggered), np.arange(9), side(target))


def test_findings_say_what_the_numbers_say(poisoned):
    made_up.trigger = poisoned.trigger
    smooth, rough = [[100, 0, 0, 0]] * 60, [[25, 25, 25, 25]] * 60
    down = made_up(rough, smooth, smooth[:9])
    text = finding(down, None, "abcd", seed=3)
    assert "W falls" in text
    assert "seed 3" in text
    assert "σ = 0.5" in text
    assert "smooth anyway" in text
    up = finding(made_up(smooth, rough, rough[:9]), down, "abcd", seed=3)
    assert "W rises" in up
    assert "Beside it the gap is +1.00" in up
    assert "smooth anyway" in up
    same = finding(made_up(rough, rough, smooth[:9]), None, "abcd", seed=3)
    assert "no clear change" in same
    assert "have W 0.00" not in same or "smooth anyway" in same


def test_w_is_the_entropy_of_the_votes(attacked):
    shares = attacked.clean.votes / 100
    logs = np.log(np.where(shares > 0, shares, 1))
    by_hand = -(shares * logs).sum(1) / np.log(10)
    assert entropy(attacked.clean.votes, estimator="plug-in") == pytest.approx(by_hand, abs=1e-12)


def test_noise_off_the_trigger_leaves_its_pixels_alone_and_the_others_as_they_were(poisoned, data_root):
    import torch

    from core.evaluation import to_unit
    from core.predictor import Predictor

    images = to_unit(poisoned.dataset(data_root).test.images[:4])
    where = torch.from_numpy(~poisoned.trigger.covers((1, 8, 8)))
    seen = []

    def spy(batch):
        seen.append(batch.clone())
        return torch.zeros(len(batch), 10)

    spied = Predictor(spy)
    spied.votes(images, range(4), 0.5, 16, seed=0)
    spied.votes(images, range(4), 0.5, 16, seed=0, where=where)
    everywhere, off = (batch.reshape(4, 16, 8, 8) for batch in seen)
    assert torch.equal(off[:, :, where], everywhere[:, :, where])
    assert torch.equal(off[:, :, ~where], images.reshape(4, 1, 8, 8)[:, :, ~where].expand(4, 16, 4))
    assert not torch.equal(everywhere[:, :, ~where], off[:, :, ~where])


def test_noise_off_the_trigger_is_a_measurement_of_its_own(attacked, poisoned, data_root):
    off = measure_run(poisoned, attacked.spec.model_copy(update={"noise": "off-trigger"}), data_root)
    assert off.spec.hash != attacked.spec.hash
    assert np.array_equal(off.chosen, attacked.chosen)
    assert not np.array_equal(off.clean.votes, attacked.clean.votes)


def test_a_trigger_over_the_whole_image_leaves_no_place_for_noise(poisoned, data_root):
    from core.errors import InputError
    from core.triggers import make_preset

    blend = make_preset("blend", (1, 8, 8))
    spec = make_measure_spec(trigger=blend, target=0, sigma=SIGMA, noise="off-trigger", images=5, draws=10)
    with pytest.raises(InputError, match="covers the whole image"):
        measure_run(poisoned, spec, data_root)


def test_baselines_without_noise_are_the_softmax(attacked, poisoned, data_root):
    from core.evaluation import to_unit

    images = to_unit(poisoned.dataset(data_root).test.images[attacked.chosen])
    probabilities = poisoned.model()(images).detach().double().softmax(1).sort(1, descending=True).values.numpy()
    assert attacked.clean.confidence == pytest.approx(probabilities[:, 0], abs=0.05)
    assert attacked.clean.margin == pytest.approx(probabilities[:, 0] - probabilities[:, 1], abs=0.1)
    assert (attacked.clean.margin <= attacked.clean.confidence).all()


def test_parts_of_a_measurement_average_to_the_whole(attacked):
    flipped, rest = attacked.flipped, ~attacked.flipped
    parts = [(mask.sum(), attacked.part(mask)) for mask in (flipped, rest) if mask.any()]
    assert sum(count * part[1] for count, part in parts) / 100 == pytest.approx(attacked.triggered.w.mean())
    assert attacked.part(np.zeros(100, bool)) is None


def test_alternatives_hold_the_gap_against_what_else_it_could_be(attacked):
    from core.findings import alternatives

    rows = {row.what: row for row in alternatives(attacked, attacked, "0123456789")}
    assert rows["all images"].w_clean == pytest.approx(attacked.clean.w.mean())
    assert rows["flipped by the trigger"].images + rows["not flipped"].images == 100
    assert rows["clean, taken for 0"].w_clean == pytest.approx(attacked.target_class.w.mean())
    assert rows["clean, taken for 0"].w_triggered is None
    assert len(alternatives(attacked, None, "0123456789")) == len(rows) - 1


def test_the_certificate_follows_the_votes(poisoned, data_root):
    import torch
    from scipy.stats import norm

    from core.evaluation import to_unit
    from core.neighbourhood import certified_radius
    from core.predictor import Predictor

    image = to_unit(poisoned.dataset(data_root).test.images[:1])[0]
    sure = certified_radius(Predictor(poisoned.model()), image, 0, sigma=0.01, draws=1000)
    # All 900 counted draws agree at so little noise, so the bound is alpha^(1/900).
    assert sure.radius[0] == pytest.approx(0.01 * norm.ppf(0.001 ** (1 / 900)), rel=1e-6)
    # A class that depends on the sign of one pixel's noise gets half of the draws: nothing is certain.
    coin = Predictor(lambda batch: torch.stack([batch[:, 0, 0, 0], 2 * image[0, 0, 0] - batch[:, 0, 0, 0]], dim=1))
    assert certified_radius(coin, image, 0, sigma=0.5, draws=1000).label[0] == -1


def test_the_neighbourhood_shows_the_very_draws_that_are_counted(poisoned, data_root):
    from core.evaluation import to_unit
    from core.neighbourhood import look_around
    from core.predictor import Predictor

    predictor = Predictor(poisoned.model())
    image = to_unit(poisoned.dataset(data_root).test.images[3:4])[0]
    around = look_around(predictor, image, key=3, sigma=0.4, draws=24, shown=24)
    counted = np.bincount(around.labels, minlength=10)
    assert (counted == around.smoothness.votes[0]).all()
    assert around.copies.std() > image.std()
