"""A measurement of a run: the paper's first claim on a patch, the control beside it, caching, and pairing."""

from __future__ import annotations

import numpy as np
import pytest

from core.attacks.attack import Attack
from core.attacks.triggers import make_formula, make_preset
from core.datasets.dataset import to_unit
from core.errors import InputError
from core.instruments.estimators import entropy
from core.instruments.noise import Noise
from core.runs.jobs.worker import train_run
from core.runs.measured.alternatives import alternatives, conclusion
from core.runs.measured.findings import basis_in_words, finding
from core.runs.measured.spec import make_measure_spec
from core.runs.measured.success import success_on
from core.runs.measured.w import (
    Measured,
    Measurement,
    measure_model,
    measure_run,
    page_attack_spec,
    stored_measurement,
)
from tests.conftest import digits_spec

SIGMA = 0.5
CORNER = make_preset("white-corner", (1, 8, 8))


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
    assert attacked.triggered.mean.value < 0.5 * attacked.clean.mean.value
    assert innocent.triggered.mean.value > 0.8 * innocent.clean.mean.value
    assert attacked.gap.low > 0
    assert attacked.p_lower.value > 0.95
    assert attacked.p_value < 1e-6


def test_what_was_measured_is_what_the_definition_says(attacked, poisoned, data_root):
    test = poisoned.dataset(data_root).test
    assert len(attacked.chosen) == 100
    assert (test.labels.numpy()[attacked.chosen] == attacked.true).all()
    assert (attacked.true != 0).all()
    assert (attacked.clean.votes.sum(1) == 100).all()
    assert attacked.gap.value == pytest.approx((attacked.clean.w - attacked.triggered.w).mean())
    assert attacked.flipped.mean() > 0.95


def test_images_taken_for_the_target_are_measured_beside(attacked, poisoned, data_root):
    from core.instruments.predictor import Predictor

    images = to_unit(poisoned.dataset(data_root).test.images[attacked.target_chosen])
    assert (Predictor(poisoned.model()).labels(images) == 0).all()
    assert 30 <= len(attacked.target_chosen) <= 40


def test_a_subset_gets_the_same_votes_whatever_stands_beside_it(attacked, poisoned, data_root):
    few = measure_run(poisoned, attacked.spec.model_copy(update={"images": 7}), data_root)
    assert np.array_equal(few.clean.votes, attacked.clean.votes[:7])
    assert np.array_equal(few.triggered.votes, attacked.triggered.votes[:7])


def test_a_measurement_is_stored_and_read_back_whole(attacked, poisoned, data_root, monkeypatch):
    monkeypatch.setattr("core.runs.measured.w.measure_model", None)  # would fail if it were measured again
    again = measure_run(poisoned, attacked.spec, data_root)
    for name in ("clean", "triggered", "target_class"):
        for part in ("votes", "predicted", "confidence", "margin"):
            assert np.array_equal(getattr(getattr(again, name), part), getattr(getattr(attacked, name), part))
        assert getattr(again, name).noise.keys == getattr(attacked, name).noise.keys
        assert getattr(again, name).arithmetic == getattr(attacked, name).arithmetic
    assert np.array_equal(again.chosen, attacked.chosen)


def test_the_control_does_not_know_the_trigger(control, poisoned, data_root):
    attack = Attack(trigger=poisoned.trigger, target=0)
    rate = success_on(control, attack, data_root).rate
    assert rate.value <= 0.02
    assert success_on(control, attack, data_root).rate == rate
    assert success_on(poisoned, attack, data_root).rate == poisoned.result.attack_success_rate


def made_up(clean, triggered, target):
    def side(votes):
        votes, ones = np.array(votes), np.ones(len(votes))
        return Measured(votes=votes, noise=Noise(0.5, 100), predicted=votes.argmax(1), confidence=ones, margin=ones)

    spec = make_measure_spec(trigger=made_up.trigger, target=0, sigma=0.5, draws=100)
    count = len(clean)
    return Measurement(
        spec=spec,
        chosen=np.arange(count),
        true=np.ones(count),
        clean=side(clean),
        triggered=side(triggered),
        target_chosen=np.arange(9),
        target_class=side(target),
    )


def test_findings_say_what_the_numbers_say(poisoned):
    made_up.trigger = poisoned.trigger
    smooth, rough = [[100, 0, 0, 0]] * 60, [[25, 25, 25, 25]] * 60
    down = made_up(rough, smooth, smooth[:9])
    text = finding(down, "abcd")
    assert "At σ = 0.5 W falls with the trigger: **1.00 → 0.00**, gap +1.00 (95% interval over images: " in text
    assert "lower for 100% of the images" in basis_in_words(down, 3)
    up, same = made_up(smooth, rough, smooth[:9]), made_up(rough, rough, smooth[:9])
    assert "W rises" in finding(up, "abcd")
    assert "In the control it is +1.00 (" in finding(up, "abcd", {"Control": down}, "Control")
    assert "no clear change" in finding(same, "abcd")
    assert "That is no clear gap at this σ." in finding(same, "abcd")
    assert "lower for 0% of the images and equal for 100%" in basis_in_words(same, 3)


def test_the_conclusion_follows_from_the_control_and_the_target_class(poisoned):
    made_up.trigger = poisoned.trigger
    smooth, rough = [[100, 0, 0, 0]] * 60, [[25, 25, 25, 25]] * 60
    down, flat = made_up(rough, smooth, rough[:9]), made_up(rough, rough, rough[:9])
    moved = made_up(rough, smooth, smooth[:9])

    def says(measured, control=None, failed=False):
        return conclusion(measured, control, "abcd", failed)

    assert "backdoor is the explanation left" in says(down, flat)
    assert "neither the control nor clean images" in says(down, flat)
    assert "no evidence of a backdoor" in says(down, down)
    assert "Only a control can show" in says(down)
    assert "clean images of *a* are just as smooth here (W = 0.00)" in says(moved)
    assert "rougher in the control (1.00)" in says(moved, flat)
    assert "in the control too (0.00)" in says(moved, made_up(rough, rough, smooth[:9]))
    # What is rough with the trigger is not explained by a class that is as rough, nor by a smooth one.
    for target in (rough, smooth):
        assert says(made_up(smooth, rough, target[:9]), flat).startswith("The model is **rougher** with the trigger")
    assert "nothing to explain" in says(flat, down)
    assert "nothing to explain" in says(flat, None, failed=True)
    assert "did not take, so W falls because of how the trigger looks" in says(down, flat, failed=True)


def test_w_is_the_entropy_of_the_votes(attacked):
    shares = attacked.clean.votes / 100
    logs = np.log(np.where(shares > 0, shares, 1))
    by_hand = -(shares * logs).sum(1) / np.log(10)
    assert entropy(attacked.clean.votes, estimator="plug-in") == pytest.approx(by_hand, abs=1e-12)


def test_noise_off_the_trigger_leaves_its_pixels_alone_and_the_others_as_they_were(poisoned, data_root):
    import torch

    from core.instruments.predictor import Predictor

    images = to_unit(poisoned.dataset(data_root).test.images[:4])
    where = torch.from_numpy(~poisoned.trigger.covers((1, 8, 8)))
    seen = []

    def spy(batch):
        seen.append(batch.clone())
        return torch.zeros(len(batch), 10)

    spied = Predictor(spy)
    spied.votes(images, Noise(0.5, 64))
    spied.votes(images, Noise(0.5, 64, where=where.numpy()))
    everywhere, off = (batch.reshape(4, 64, 8, 8) for batch in seen)  # one batch each
    assert torch.equal(off[:, :, where], everywhere[:, :, where])
    assert torch.equal(off[:, :, ~where], images.reshape(4, 1, 8, 8)[:, :, ~where].expand(4, 64, 4))
    assert not torch.equal(everywhere[:, :, ~where], off[:, :, ~where])


def test_noise_off_the_trigger_is_a_measurement_of_its_own(attacked, poisoned, data_root):
    off = measure_run(poisoned, attacked.spec.model_copy(update={"noise": "off-trigger"}), data_root)
    assert off.spec.hash != attacked.spec.hash
    assert np.array_equal(off.chosen, attacked.chosen)
    for measured in (off, stored_measurement(poisoned, off.spec)):
        assert np.array_equal(measured.clean.noise.where, ~poisoned.trigger.covers((1, 8, 8)))
    assert not np.array_equal(off.clean.votes, attacked.clean.votes)


def test_a_trigger_over_the_whole_image_leaves_no_place_for_noise(poisoned, data_root):
    from core.attacks.triggers import make_preset
    from core.errors import InputError

    blend = make_preset("blend", (1, 8, 8))
    spec = make_measure_spec(trigger=blend, target=0, sigma=SIGMA, noise="off-trigger", images=5, draws=10)
    with pytest.raises(InputError, match="covers the whole image"):
        measure_run(poisoned, spec, data_root)


def test_baselines_without_noise_are_the_softmax(attacked, poisoned, data_root):

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
    rows = {row.what: row for row in alternatives(attacked, attacked)}
    assert rows["all images"].w_clean == pytest.approx(attacked.clean.w.mean())
    assert rows["flipped by the trigger"].images + rows["not flipped"].images == 100
    assert rows["clean, predicted as the target"].w_clean == pytest.approx(attacked.target_class.w.mean())
    assert rows["clean, predicted as the target"].w_triggered is None
    assert len(alternatives(attacked)) == len(rows) - 1


def test_the_certificate_follows_the_votes(poisoned, data_root):
    import torch
    from scipy.stats import norm

    from core.instruments.neighbourhood import certified_radius
    from core.instruments.predictor import Predictor

    image = to_unit(poisoned.dataset(data_root).test.images[:1])[0]
    sure = certified_radius(Predictor(poisoned.model()), image, 0, sigma=0.01, draws=1000)
    # All 900 counted draws agree at so little noise, so the bound is alpha^(1/900).
    assert sure.radius[0] == pytest.approx(0.01 * norm.ppf(0.001 ** (1 / 900)), rel=1e-6)
    # A class that depends on the sign of one pixel's noise gets half of the draws: nothing is certain.
    coin = Predictor(lambda batch: torch.stack([batch[:, 0, 0, 0], 2 * image[0, 0, 0] - batch[:, 0, 0, 0]], dim=1))
    assert certified_radius(coin, image, 0, sigma=0.5, draws=1000).label[0] == -1


def test_the_neighbourhood_shows_the_very_draws_that_are_counted(poisoned, data_root):
    from core.instruments.neighbourhood import look_around
    from core.instruments.predictor import Predictor

    predictor = Predictor(poisoned.model())
    image = to_unit(poisoned.dataset(data_root).test.images[3:4])[0]
    around = look_around(predictor, image, key=3, sigma=0.4, draws=24, shown=24)
    counted = np.bincount(around.labels, minlength=10)
    assert (counted == around.smoothness.votes[0]).all()
    assert around.copies.std() > image.std()


def test_a_neighbourhood_is_first_seen_with_one_batch_and_then_with_all_draws(poisoned, data_root):
    from core.instruments.neighbourhood import neighbourhood_steps
    from core.instruments.predictor import Predictor
    from core.instruments.smoothness import measure_smoothness

    predictor = Predictor(poisoned.model())
    image = to_unit(poisoned.dataset(data_root).test.images[3:4])[0]
    asked = []
    forward = predictor._forward
    predictor._forward = lambda batch: asked.append(len(batch)) or forward(batch)
    steps = neighbourhood_steps(predictor, image, key=3, sigma=0.4, draws=600)
    first = next(steps)
    assert len(asked) == 1
    assert first.smoothness.noise.draws == first.smoothness.votes.sum() == asked[0] - 1
    (last,) = steps
    assert first.label == last.label == int(predictor.labels(image[None])[0])
    whole = measure_smoothness(predictor, image[None], sigma=0.4, draws=600, keys=[3])
    assert (last.smoothness.votes == whole.votes).all()
    assert last.smoothness.noise.draws == 600
    assert last.smoothness.arithmetic == whole.arithmetic


MODES = [
    {"mode": "all-to-all", "target": None, "rate": 0.3},
    {"mode": "source-specific", "sources": (1, 2), "rate": 0.08, "cover_rate": 0.08},
    {"random_place": True},
    {"trigger": make_formula("sinusoid", (1, 8, 8))},
]


@pytest.fixture(scope="module", params=MODES, ids=["all-to-all", "source-specific", "random-place", "sinusoid"])
def other_attack(request, runs_root, data_root):
    return train_run(digits_spec(**{"epochs": 5} | request.param), runs_root, data_root)


def test_every_mode_trains_to_a_success_that_its_definition_gives_again(other_attack, data_root):
    spec, result = other_attack.spec, other_attack.result
    assert result.clean_accuracy.value > 0.9
    # A control reaches a few per cent.
    assert result.attack_success_rate.value > 0.3
    test, attack = other_attack.dataset(data_root).test, spec.attack
    labels = test.labels.numpy()
    about = {
        "all-to-all": np.ones(len(labels), bool),
        "source-specific": np.isin(labels, [1, 2]),
        "all-to-one": labels != 0,
    }[attack.mode]
    keys = np.nonzero(about)[0]
    predicted = other_attack.predictor().labels(attack.apply(to_unit(test.images[keys]), keys, seed=spec.seed)).numpy()
    wanted = (labels[keys] + 1) % 10 if attack.mode == "all-to-all" else 0
    rate = result.attack_success_rate
    assert (rate.count, rate.n) == (int((predicted == wanted).sum()), len(keys))
    if attack.mode == "source-specific":
        others = result.attack_success_rate_others
        assert others.n == np.isin(labels, range(3, 10)).sum()
        assert others.value < rate.value - 0.2
        assert other_attack.epochs[-1].attack_success_rate_others == others
    else:
        assert result.attack_success_rate_others is None


def test_w_of_every_mode_is_measured_on_the_images_it_is_about_and_read_back(other_attack, data_root):
    attack = other_attack.spec.attack
    spec = page_attack_spec(attack, SIGMA).model_copy(update={"images": 30, "draws": 20})
    measured = measure_run(other_attack, spec, data_root)
    classes = {"all-to-all": range(10), "source-specific": (1, 2), "all-to-one": range(1, 10)}[attack.mode]
    assert set(measured.true) <= set(classes)
    assert len(measured.chosen) == 30
    test = other_attack.dataset(data_root).test
    shown = spec.attack.apply(to_unit(test.images[measured.chosen]), measured.chosen, seed=spec.seed)
    assert np.array_equal(other_attack.predictor().labels(shown).numpy(), measured.triggered.predicted)
    wanted = (measured.true + 1) % 10 if attack.target is None else 0
    assert np.array_equal(measured.flipped, measured.triggered.predicted == wanted)
    assert (len(measured.target_chosen) == 0) == (attack.target is None)
    assert np.array_equal(measure_run(other_attack, spec, data_root).triggered.votes, measured.triggered.votes)
    more = measure_model(other_attack.predictor(), other_attack.dataset(data_root), longer(spec), before=measured)
    whole = measure_model(other_attack.predictor(), other_attack.dataset(data_root), longer(spec))
    assert np.array_equal(more.triggered.votes, whole.triggered.votes)


def longer(spec):
    return spec.model_copy(update={"draws": 30})


def test_a_runs_own_success_is_taken_from_its_result_and_any_other_is_measured(other_attack, control, data_root):
    attack, result = other_attack.spec.attack, other_attack.result
    own = success_on(other_attack, attack, data_root)
    assert (own.rate, own.others) == (result.attack_success_rate, result.attack_success_rate_others)
    innocent = success_on(control, attack, data_root)
    assert innocent.rate.n == own.rate.n
    assert innocent.rate.value < own.rate.value - 0.2
    assert success_on(control, attack, data_root) == innocent


def test_noise_off_a_trigger_that_moves_gets_a_sentence(control, data_root):
    attack = Attack(trigger=CORNER, target=0, random_place=True)
    with pytest.raises(InputError, match="somewhere else on every image"):
        measure_run(control, page_attack_spec(attack, SIGMA, noise="off-trigger"), data_root)


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (Attack(trigger=CORNER, target=10), "target 10 is not a class"),
        (
            Attack(trigger=CORNER, target=0, mode="source-specific", sources=(11,)),
            "source 11 is not a class",
        ),
        (Attack(trigger=make_preset("frame", (1, 28, 28)), target=0), "images are 8x8"),
    ],
)
def test_an_attack_that_does_not_suit_the_data_gets_a_sentence(control, data_root, attack, words):
    with pytest.raises(InputError, match=words):
        success_on(control, attack, data_root)
