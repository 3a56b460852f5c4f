"""Comparing attacks: each with its own trigger on its own model, ranked only as far as the intervals allow."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from core.attacks.attack import Attack
from core.attacks.triggers import make_preset
from core.attacks.triggers.visibility import visible_change
from core.instruments.statistics import binomial_interval, bounded_mean_interval
from core.runs.measured.compared import Compared, compared, comparison_steps, images_in_common
from core.runs.measured.compared_words import comparison_table, conclusion
from core.runs.measured.w import measure_run, page_attack_spec
from tests.conftest import digits_spec

FULL = SimpleNamespace(draws=100)


def made_up(name: str, gap: float, control: float | None = 0.0, asr: int = 98, **spec: Any) -> Compared:
    """Return an attack whose W falls by `gap` on all of 100 images, and by `control` in its control."""

    def measured(fall: float) -> Any:
        clean, triggered = (SimpleNamespace(w=np.full(100, w)) for w in (0.5, 0.5 - fall))
        interval = bounded_mean_interval(clean.w - triggered.w, -1, 1)
        return SimpleNamespace(spec=FULL, clean=clean, triggered=triggered, gap=interval)

    run = SimpleNamespace(
        spec=digits_spec(**spec),
        result=SimpleNamespace(attack_success_rate=binomial_interval(asr, 100)),
    )
    one = SimpleNamespace(attack=run.spec.attack, sigma=0.5, visible=FULL, detected=None)
    return Compared(
        name,
        cast("Any", run),
        **vars(one),
        control=None if control is None else cast("Any", run),
        measured=measured(gap),
        in_control=None if control is None else measured(control),
    )


def test_attacks_are_ranked_only_where_the_intervals_do_not_overlap():
    a, b, c = made_up("A", 0.4), made_up("B", 0.2), made_up("C", 0.21)
    assert "Ranked by how far it falls beyond the control: **A**, then **B**." in conclusion([b, a])
    assert "It falls furthest for **A**. The others are not ranked: their intervals overlap." in conclusion([b, a, c])
    assert "The intervals of these gaps overlap, so they do not rank the attacks." in conclusion([b, c])


def test_what_the_control_shows_too_is_no_effect_and_a_failed_attack_is_said():
    same, risen = made_up("Same", 0.3, control=0.3), made_up("Risen", -0.3, asr=30)
    said = " ".join(conclusion([same, risen, made_up("Alone", 0.3, control=None)]))
    assert "W **rises** with the trigger, and more than in the control, for **Risen**" in said
    assert "there is no clear change beyond the control for **Same**" in said
    assert "**Alone** has no control here" in said
    assert "**Risen** did not take (ASR 30.0%, 30 of 100)" in said
    assert "ank" not in said


def test_other_data_sets_networks_and_settings_are_said():
    one, other = made_up("A", 0.4), made_up("B", 0.1, dataset="mnist", architecture="mlp", rate=0.05, seed=3)
    assert conclusion([one, other])[-1] == (
        "They also differ in data set (digits, mnist), network (small-cnn, mlp), poisoning rate and seed, so a "
        "difference need not come from the trigger."
    )
    assert not [text for text in conclusion([one, made_up("C", 0.1)]) if "differ" in text]
    assert conclusion([one, replace(other, measured=None)]) == []


def test_a_run_is_measured_with_its_own_trigger_and_its_control_with_the_same(poisoned, control, data_root, digits):
    known = compared("Mine", poisoned, level=2)
    assert known.control is not None
    steps = list(comparison_steps([known], lambda run: run.predictor(), lambda _: digits))
    (last,) = steps[-1]
    shares = [one.share for (one,) in steps]
    assert shares == sorted(shares)
    assert last.is_complete
    spec = page_attack_spec(poisoned.spec.attack, known.sigma)
    of_run, of_control = (measure_run(run, spec, data_root) for run in (poisoned, control))
    assert (last.measured.gap, last.in_control.gap) == (of_run.gap, of_control.gap)
    gaps = [one.clean.w - one.triggered.w for one in (of_run, of_control)]
    assert last.beyond.value == pytest.approx(np.mean(gaps[0] - gaps[1]))
    assert last.direction == "smoother"
    before = digits.test.images[of_run.chosen].numpy()
    assert last.visible == visible_change(before, poisoned.trigger.stamp(before))
    assert compared("Mine", poisoned, level=2).is_complete  # it was kept
    row = comparison_table([last])
    assert (row["attack success rate: images"], row["attack success rate: of"]) == ([323], [323])
    assert row["gap beyond control"] == [last.beyond.value]


def test_images_that_all_attacks_are_about_belong_to_no_target(digits):
    trigger = make_preset("white-corner", (1, 8, 8))
    attacks = [Attack(trigger=trigger, target=0), Attack(trigger=trigger, target=3)]
    labels = digits.test.labels.numpy()
    assert set(labels[images_in_common(attacks, digits)]) == set(range(10)) - {0, 3}
    only = Attack(trigger=trigger, target=0, mode="source-specific", sources=(3,))
    assert len(images_in_common([only, attacks[1]], digits)) == 0
