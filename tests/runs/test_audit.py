"""Looking for a backdoor without a trigger: a toy model with one stands out, and no more is claimed than was seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.attacks.triggers import make_preset
from core.datasets import Dataset, Split
from core.instruments.predictor import Predictor
from core.instruments.statistics import binomial_interval
from core.runs.measured.audit import (
    Audit,
    AuditSpec,
    Inverted,
    NoisyClass,
    audit_in_words,
    audit_model,
    class_signs,
)

CLASSES = tuple("abcdefgh")
SPEC = AuditSpec(images=40, draws=8, steps=120, patch_steps=30)


class Rows(torch.nn.Module):
    """Predicts the brightest row of an 8x8 image; with a backdoor, class 3 the brighter two pixels of a corner are."""

    def __init__(self, backdoor: float) -> None:
        super().__init__()
        self.backdoor = torch.nn.Parameter(torch.tensor(backdoor))

    def forward(self, images):
        rows = 4 * images[:, 0].sum(2)
        corner = images[:, 0, 7, 6] + images[:, 0, 7, 7]
        return rows + self.backdoor * corner[:, None] * torch.nn.functional.one_hot(torch.tensor(3), 8)


@pytest.fixture(scope="module")
def rows():
    """Images whose class is a bright row."""
    random = np.random.default_rng(0)

    def split(count):
        labels = random.integers(0, 8, count)
        pixels = random.integers(0, 60, (count, 1, 8, 8)).astype(np.uint8)
        pixels[np.arange(count), 0, labels, :6] = 200  # the corner stays dark
        return Split(torch.from_numpy(pixels), torch.from_numpy(labels))

    return Dataset(name="rows", train=split(200), test=split(80), classes=CLASSES, fingerprint="rows-1")


def audited(rows, backdoor: float) -> Audit:
    model = Rows(backdoor)
    *_, last = audit_model(model, Predictor(model, "cpu"), rows, SPEC)
    return last


def test_a_backdoor_needs_the_smallest_trigger_and_its_class_comes_first(rows):
    found, clean = audited(rows, 20.0), audited(rows, 0.0)
    first = class_signs(found, 8)[0]
    assert first.label == 3
    assert first.inverted.index > 2
    assert first.count >= 1
    # What is opened elsewhere does what it was found to do.
    images = torch.from_numpy(np.float32(rows.test.images.numpy() / 255))
    taken = Rows(20.0)(first.inverted.trigger.apply(images)).argmax(1)
    assert (taken == 3).float().mean() > 0.9
    assert clean.inverted[3].pixels > 2 * found.inverted[3].pixels
    assert len(found.patches) == 8
    assert found.share == 1
    assert [one.sigma for one in found.noise] == sorted(one.sigma for one in found.noise)
    assert "*d* in " in audit_in_words(found, clean, CLASSES)


def test_few_classes_and_models_without_gradients_get_a_sentence(rows):
    model = Rows(0.0)

    def opaque(images):
        return model(images).detach()

    *_, last = audit_model(opaque, Predictor(opaque, "cpu"), rows, SPEC)
    assert "no gradients" in last.why_not
    assert last.inverted == last.patches == ()
    assert len(last.noise) == 6


def made_up(index=0.0, patch=0.1, noise=0.2) -> Audit:
    """Return an audit in which class 3 has these numbers, and the others usual ones."""
    trigger = make_preset("white-corner", (1, 8, 8))
    inverted = tuple(Inverted(trigger, 9.0, index if label == 3 else 0.0, True) for label in range(8))
    patches = tuple(binomial_interval(round(100 * (patch if label == 3 else 0.1)), 100) for label in range(8))
    w = binomial_interval(5, 10)
    return Audit(1.0, "", (NoisyClass(0.5, w, 3, noise),), inverted, "", patches)


@pytest.mark.parametrize(("numbers", "count"), [
    ({}, 0),
    ({"index": 2.5}, 1),
    ({"index": 1.9}, 0),
    ({"patch": 0.9}, 1),
    ({"patch": 0.7}, 0),
    ({"noise": 0.6}, 1),
    ({"index": 3.0, "patch": 0.95, "noise": 0.8}, 3),
])  # fmt: skip
def test_a_class_stands_out_by_fixed_rules(numbers, count):
    signs = {one.label: one.count for one in class_signs(made_up(**numbers), 8)}
    assert signs == {label: count if label == 3 else 0 for label in range(8)}


def test_the_words_claim_no_more_than_a_suspicion():
    none = audit_in_words(made_up(), None, CLASSES)
    assert "No class stands out" in none
    assert "does not clear the model" in none
    alone = audit_in_words(made_up(index=3.0), None, CLASSES)
    assert "*d* in 1 of 3 looks" in alone
    assert "no proof" in alone
    assert "there is no control" in alone
    assert "In the control no class stands out" in audit_in_words(made_up(index=3.0), made_up(), CLASSES)
    floor = audit_in_words(made_up(index=3.0), made_up(noise=0.9), CLASSES)
    assert "in the control, which has no backdoor: *d* in 1" in floor
