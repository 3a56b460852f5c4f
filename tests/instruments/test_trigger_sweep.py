"""W over sigma under several triggers: votes of few draws are the beginning of those of many, each the definition's."""

from __future__ import annotations

import numpy as np
import pytest

from core.attacks.attack import Attack
from core.attacks.triggers.placing import moved
from core.datasets.dataset import to_unit
from core.instruments.noise import Noise
from core.instruments.predictor import Predictor
from core.instruments.trigger_sweep import trigger_sweep_steps

SIGMAS = (0.25, 0.5)


def test_each_trigger_gets_the_votes_that_it_would_get_alone(poisoned, data_root):
    test = poisoned.dataset(data_root).test
    keys = np.nonzero(test.labels.numpy() != 0)[0][:12]
    images, predictor = to_unit(test.images[keys]), Predictor(poisoned.model())
    triggers = {"own": poisoned.trigger, "elsewhere": moved(poisoned.trigger, (1, 8, 8), 0, 0)}
    attacks = {name: Attack(trigger=trigger, target=0) for name, trigger in triggers.items()}
    attacks["anywhere"] = Attack(trigger=poisoned.trigger, target=0, random_place=True)
    steps = list(
        trigger_sweep_steps(predictor, images, keys.tolist(), attacks, np.zeros(12, int), SIGMAS, draws=60, seed=3)
    )
    assert [step.draws for step in steps] == [16, 48, 60]
    for step in steps:
        for number, sigma in enumerate(SIGMAS):
            alone = predictor.votes(images, Noise(sigma, step.draws, 3, keys)).numpy()
            assert np.array_equal(step.clean[number].votes, alone)
            for name, attack in attacks.items():
                alone = predictor.votes(attack.apply(images, keys, seed=3), Noise(sigma, step.draws, 3, keys)).numpy()
                assert np.array_equal(step.triggered[name][number].votes, alone)
    last = steps[-1]
    assert last.asr["own"] > 0.9 > last.asr["elsewhere"]
    for at, gap in enumerate(last.gap("own")):
        assert gap.value == pytest.approx(last.mean()[at].value - last.mean("own")[at].value)
    assert last.gap("own")[1].low > 0
