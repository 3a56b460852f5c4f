"""Perturbing images before a clean-label attack: within the box, against the surrogate, the same bits by seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from core.attacks.clean_label import LEVELS, adversary, perturbed, train_surrogate
from core.attacks.triggers import make_preset
from core.training.events import Epoch
from core.training.loop import train
from tests.conftest import digits_spec


@pytest.fixture(scope="module")
def surrogate(digits):
    return train_surrogate(digits, 0, "cpu")


def right(model, images, labels):
    return float((model(images.float() / 255).argmax(1) == labels).float().mean())


class Linear(nn.Module):
    """Logits (0, sum of weights times pixels): its gradient is known everywhere."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(weights, requires_grad=False)

    def forward(self, images):
        score = (images * self.weights).sum(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(score), score], dim=1)


def test_against_a_linear_model_every_pixel_goes_to_its_end_of_the_box():
    weights = torch.tensor([[[1.0, -1.0], [2.0, -0.5]]])
    images = torch.tensor([[[[100, 100], [250, 10]]], [[[0, 255], [128, 200]]]], dtype=torch.uint8)
    signs = torch.sign(weights)
    for label, direction in ((1, -signs), (0, signs)):
        moved = perturbed(Linear(weights), images, torch.tensor([label, label]))
        assert torch.equal(moved, (images + LEVELS * direction).clamp(0, 255).to(torch.uint8))


def test_no_pixel_leaves_the_box_and_the_surrogate_recognises_less(digits, surrogate):
    test = digits.test
    assert right(surrogate, test.images, test.labels) > 0.95
    kept = test.images.clone()
    moved = perturbed(surrogate, test.images, test.labels)
    assert torch.equal(test.images, kept)
    assert moved.dtype == torch.uint8
    assert (moved.int() - test.images.int()).abs().max() <= LEVELS
    assert right(surrogate, moved, test.labels) < 0.6


def test_an_image_is_perturbed_alike_in_any_company(digits, surrogate):
    images, labels = digits.test.images[:40], digits.test.labels[:40]
    together, alone = perturbed(surrogate, images, labels), perturbed(surrogate, images[:3], labels[:3])
    # A sum may be rounded otherwise in another batch, which can turn the sign of a gradient near 0.
    assert (together[:3] != alone).float().mean() < 0.02
    assert len(perturbed(surrogate, images[:0], labels[:0])) == 0


def test_equal_seeds_give_equal_bits_and_touch_no_other_random_numbers(digits, monkeypatch):
    monkeypatch.setattr("core.attacks.clean_label.BATCHES", 10)
    images = digits.test.images[:20], digits.test.labels[:20]
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    moved = adversary(digits, 0, "cpu")(*images)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(moved, adversary(digits, 0, "cpu")(*images))
    assert not torch.equal(moved, adversary(digits, 1, "cpu")(*images))


def last_epoch(spec, dataset):
    return [event for event in train(spec, dataset) if isinstance(event, Epoch)][-1]


@pytest.mark.soak
def test_perturbed_images_make_a_clean_label_attack_succeed_more(digits):
    gains = []
    for seed in range(3):
        values = {
            "trigger": make_preset("checkerboard", digits.shape),
            "rate": 0.08,
            "mode": "clean-label",
            "seed": seed,
        }
        plain, moved = (last_epoch(digits_spec(**values, perturbed=perturbed), digits) for perturbed in (False, True))
        assert moved.clean_accuracy.value > 0.95
        gains.append(moved.attack_success_rate.value - plain.attack_success_rate.value)
    assert np.mean(gains) > 0.1
