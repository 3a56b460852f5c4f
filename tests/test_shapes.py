"""Tests run with the shapes of signatures checked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from core.attacks.attack import Attack
from core.attacks.triggers import make_preset
from core.instruments.noise import Noise
from core.instruments.predictor import Predictor
from core.instruments.smoothness import Smoothness
from core.training.augmentation import augment

ATTACK = Attack(trigger=make_preset("white-corner", (1, 8, 8)), target=3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ATTACK.apply(torch.zeros(1, 8, 8), np.arange(1)),
        lambda: ATTACK.apply(torch.zeros(2, 1, 8, 8), np.arange(3)),
        lambda: ATTACK.goal(np.array([0.5]), 10),
        lambda: augment(torch.zeros(8, 8), "shift", [0]),
        lambda: Smoothness(np.zeros(4, np.int64), Noise(0.5)),
        lambda: Smoothness(np.zeros((4, 2)), Noise(0.5)),
        lambda: Predictor(lambda images: images.flatten(1)[0], "cpu").logits(torch.zeros(2, 1, 8, 8)),
    ],
)
def test_a_wrong_shape_is_caught(call):
    with pytest.raises(TypeCheckError):
        call()


def test_a_right_one_passes():
    assert ATTACK.apply(torch.zeros(2, 1, 8, 8), np.arange(2)).shape == (2, 1, 8, 8)
