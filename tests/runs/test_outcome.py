"""What is said of a run right after its training, on made-up results of each kind."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from core.attacks.attack import make_attack
from core.attacks.poisoning import poisoned_count, rate_limits
from core.attacks.triggers import Sinusoid, Trigger, Warp, make_preset
from core.instruments.evaluation import Success
from core.instruments.statistics import binomial_interval, difference_of_shares
from core.runs.measured.outcome import Evidence, Verdict, evidence_steps, outcome, smoothness_in_words
from core.runs.measured.remedies import remedies
from core.runs.result import Result
from core.runs.run import Run
from core.training.check import check_spec
from tests.conftest import digits_spec
from tests.runs.test_findings import EQUAL, ROUGHER, SMOOTHER, measured

CLASSES = [f"class {number}" for number in range(10)]
CORNER = make_preset("white-corner", (1, 8, 8))


def result(accuracy: int, success: int | None = None, others: int | None = None, images: int = 360) -> Result:
    return Result(
        binomial_interval(accuracy, images),
        None if success is None else binomial_interval(success, 100),
        (1, 8, 8), tuple(CLASSES), 1.0, 0, "", "",
        attack_success_rate_others=None if others is None else binomial_interval(others, 50),
    )  # fmt: skip


def attack(mode: str = "all-to-one", trigger=CORNER):
    return make_attack(trigger=trigger, target=0, mode=mode, sources=(1, 2) if mode == "source-specific" else ())


def in_control(hits: int) -> Evidence:
    return Evidence(Success(binomial_interval(hits, 100)))


@pytest.mark.parametrize(
    ("run", "control", "evidence", "verdict"),
    [
        (result(354, 96), result(353), None, "works"),
        (result(354, 80), None, None, "works"),
        (result(354, 79), result(353), None, "part"),
        (result(354, 49), result(353), None, "failed"),
        (result(320, 96), result(353), None, "costs"),
        (result(320, 8), result(353), None, "failed"),
        (result(354, 96, others=2), result(353), None, "works"),
        (result(354, 96, others=20), result(353), None, "spreads"),
        (result(354, 96), result(353), in_control(3), "works"),
        (result(354, 96), result(353), in_control(94), "alone"),
        (result(354), None, None, "control"),
    ],
)
def test_the_verdict_follows_success_cost_and_the_control(run, control, evidence, verdict):
    found = outcome(None if verdict == "control" else attack(), run, control, CLASSES, evidence=evidence)
    assert found.verdict == verdict


def test_a_verdict_says_what_was_counted():
    found = outcome(attack(), result(354, 96), result(353), CLASSES, evidence=in_control(3))
    assert found.headline == "It works."
    assert found.success == (
        "**96 of 100** test images of other classes are taken for **class 0** with the trigger (**96.0%**); in the "
        "control 3 of 100 are."
    )
    assert found.accuracy == "Clean accuracy is **98.3%** (354 of 360), as without poison (98.1%)."
    of_sources = outcome(attack("source-specific"), result(354, 96, others=2), result(353), CLASSES).success
    assert "test images of **class 1**, **class 2** are taken for **class 0**" in of_sources
    assert of_sources.endswith("Of the other classes, 2 of 50 are (4.0%).")
    to_next = outcome(attack("all-to-all"), result(354, 96), result(353), CLASSES).success
    assert "**96 of 100** test images are taken for the class after their own" in to_next
    assert outcome(None, result(354), None, CLASSES).success == ""


@pytest.mark.parametrize(
    ("run", "control", "said"),
    [
        (result(320, 96), result(353), "9.2 points lower than without poison (98.1%)."),
        (result(38, 96, images=40), result(40, images=40), "by no more than chance allows on 40 images."),
        (result(354, 96), result(330), "higher than without poison (91.7%)."),
        (result(4900, 96, images=5000), result(4970, images=5000), "1.4 points lower than without poison (99.4%)."),
    ],
)
def test_a_loss_of_accuracy_counts_where_chance_does_not_explain_it(run, control, said):
    found = outcome(attack(), run, control, CLASSES)
    assert found.accuracy.endswith(said)
    assert found.verdict == ("costs" if said.startswith("9.2") else "works")


def test_while_the_control_is_not_done_that_is_said():
    found = outcome(attack(), result(354, 96), None, CLASSES, "The control still trains.")
    assert found.accuracy == "Clean accuracy is **98.3%** (354 of 360). The control still trains."


def test_the_difference_of_two_shares_is_unclear_where_their_intervals_are_wide():
    few = difference_of_shares(binomial_interval(39, 40), binomial_interval(36, 40))
    many = difference_of_shares(binomial_interval(3900, 4000), binomial_interval(3600, 4000))
    assert few.value == pytest.approx(0.075) == many.value
    assert few.low < 0 < many.low < 0.075 < many.high < few.high
    back = difference_of_shares(binomial_interval(36, 40), binomial_interval(39, 40))
    assert (back.low, back.high) == pytest.approx((-few.high, -few.low))


@pytest.mark.parametrize(
    ("mine", "control", "said"),
    [
        (SMOOTHER, EQUAL, "in the control it does not"),
        (SMOOTHER, SMOOTHER, "in the control it falls, too"),
        (SMOOTHER, ROUGHER, "in the control it rises"),
        (EQUAL, EQUAL, "in the control it shows no clear change"),
        (EQUAL, SMOOTHER, "in the control it falls ("),
        (SMOOTHER, None, "with the trigger. One run, one seed, one noise level (σ = 0.5, 80 images)."),
    ],
)
def test_w_is_told_as_measured_beside_the_control_and_never_as_a_verdict(mine, control, said):
    ours = measured(0.5, *mine)
    text = smoothness_in_words(ours, None if control is None else measured(0.5, *control))
    assert said in text
    assert text.startswith(f"**W {ours.clean.mean.value:.2f} → {ours.triggered.mean.value:.2f}**")
    assert "One run, one seed, one noise level" in text


def test_evidence_gets_better_and_is_kept(tmp_path, poisoned, control, digits):
    asked = []
    for run in (poisoned, control):  # nothing is measured on them yet
        shutil.copytree(run.path, tmp_path / run.name, ignore=shutil.ignore_patterns("measures"))
    poisoned, control = (Run(tmp_path / run.name).finished() for run in (poisoned, control))

    def predictor(run):
        asked.append(run.name)
        return run.finished().predictor()

    found = list(evidence_steps(poisoned, control, predictor, digits))
    first, last = found[0], found[-1]
    assert first.in_control and first.in_control.rate and first.in_control.rate.value < 0.2  # noqa: PT018
    assert first.mine is None
    assert [one.mine.spec.draws for one in found if one.mine is not None] == [16, 48, 100]
    assert last.control and last.mine and last.control.gap.value < last.mine.gap.value  # noqa: PT018
    asked.clear()
    again = list(evidence_steps(poisoned, control, predictor, digits))
    assert (asked, len(again)) == ([], 2)
    assert again[-1].mine
    assert again[-1].mine.gap == last.mine.gap
    assert list(evidence_steps(control, None, predictor, digits)) == []


def test_every_remedy_can_be_trained_and_changes_one_thing(digits):
    def found(verdict: Verdict, **values) -> dict:
        spec = digits_spec(**values)
        assert spec.attack is not None
        for remedy in remedies(verdict, spec, digits):
            changes = dict(remedy.changes)
            trigger = changes.pop("trigger", spec.attack.trigger)
            changed = spec.model_copy(update=changes | {"attack": spec.attack.model_copy(update={"trigger": trigger})})
            check_spec(changed, digits)
            assert changed.hash != spec.hash
        return {name: value for remedy in remedies(verdict, spec, digits) for name, value in remedy.changes.items()}

    assert found("failed") == {"rate": 0.2, "epochs": 30}
    assert found("failed", trigger=Warp()) == {"trigger": Warp(strength=1.0), "rate": 0.2, "epochs": 30}
    assert found("part", trigger=Sinusoid(delta=0.4))["trigger"] == Sinusoid(delta=0.5)
    faint = Trigger.from_rgba(np.full((2, 2, 4), (255, 255, 255, 40), np.uint8), 0, 0)
    assert found("failed", trigger=faint)["trigger"].rgba[..., 3].max() == 80
    frame, checkerboard = (make_preset(name, (1, 8, 8)) for name in ("frame", "checkerboard"))
    clean_label = found("failed", mode="clean-label", rate=0.09)
    assert clean_label == {"trigger": frame, "perturbed": True, "rate": 0.095}
    assert found("part", random_place=True)["trigger"] == checkerboard
    assert "trigger" not in found("failed", mode="clean-label", trigger=frame, rate=0.05)
    assert found("costs") == {"rate": 0.05}
    assert found("spreads", mode="source-specific", sources=(1,), rate=0.04)["cover_rate"] == 0.05
    assert found("works") == found("control") == found("alone") == {}


def test_the_limits_of_rates_are_what_a_mode_can_poison(digits):
    labels = digits.train.labels.numpy()
    of = lambda mode, *sources: rate_limits(labels, mode, 0, sources)  # noqa: E731
    assert of("clean-label").poisoned == 0.098
    assert of("all-to-one").poisoned == 0.901
    assert 2 * poisoned_count(of("source-specific", 1).poisoned, len(labels)) <= (labels == 1).sum()
    assert of("source-specific", 1, 2).poisoned > 1.9 * of("source-specific", 1).poisoned
    assert of("source-specific", 1).covers == pytest.approx(0.8, abs=0.01)
    assert of("clean-label").covers == 0
    tiny = np.repeat(np.arange(3000), 2)
    assert 0 < rate_limits(tiny, "clean-label", 0).poisoned < 0.001
