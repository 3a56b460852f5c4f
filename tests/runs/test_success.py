"""How often an attack succeeds: the same on all images at once and step by step, and by one rule whether it took."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from core.attacks.attack import Attack
from core.attacks.triggers import make_preset
from core.instruments.statistics import binomial_interval
from core.runs.measured.success import known_success, share_in_words, success_on, success_steps, took
from core.runs.run import Run


@pytest.mark.parametrize(("hits", "in_control", "says"), [
    (309, None, "works"),
    (259, None, "works"),
    (258, None, "part"),
    (162, None, "part"),
    (161, None, "failed"),
    (309, 3, "works"),
    # What the control does as often was not learnt from the poison.
    (309, 300, "alone"),
    (20, 20, "failed"),
])  # fmt: skip
def test_an_attack_works_or_took_in_part_or_failed(hits, in_control, says):
    theirs = None if in_control is None else binomial_interval(in_control, 323)
    assert took(binomial_interval(hits, 323), theirs) == says


def test_a_share_names_its_denominator():
    assert share_in_words(binomial_interval(354, 359)) == "98.6%, 354 of 359"


@pytest.mark.parametrize("mode", ["all-to-one", "all-to-all", "source-specific"])
def test_success_step_by_step_ends_with_that_on_all_images_and_is_kept(poisoned, data_root, tmp_path, mode):
    run = Run(shutil.copytree(poisoned.path, tmp_path / poisoned.name))
    parts = {"all-to-all": {"target": None}, "source-specific": {"sources": (1, 2)}}.get(mode, {})
    attack = Attack(**{"trigger": make_preset("checkerboard", (1, 8, 8)), "target": 3, "mode": mode} | parts)
    data = run.dataset(data_root)
    steps = list(success_steps(run, attack, run.finished().predictor, lambda: data))
    at_once = success_on(Run(shutil.copytree(poisoned.path, tmp_path / "again" / poisoned.name)), attack, data_root)
    assert steps[-1] == at_once
    assert np.all(np.diff([step.rate.n for step in steps]) >= 0)
    if mode != "source-specific":
        assert steps[0].rate.n < steps[-1].rate.n
    assert known_success(run, attack) == at_once
    assert list(success_steps(run, attack, None, None)) == [at_once]
