"""Where a trigger works: each point of a map is what stamping that very variant gives; coarse maps become fine ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.attacks.triggers import Trigger, make_preset
from core.attacks.triggers.placing import faded, resized
from core.datasets.dataset import to_unit
from core.instruments.predictor import Predictor
from core.instruments.smoothness import measure_smoothness
from core.instruments.trigger_map import OPACITIES, Probe, place_map, sides_to_try, strength_map

SIGMA, SHAPE = 0.5, (1, 8, 8)


@pytest.fixture(scope="module")
def probe(poisoned, data_root):
    test = poisoned.dataset(data_root).test
    keys = np.nonzero(test.labels.numpy() != 0)[0][:20]
    images = to_unit(test.images[keys])
    return Probe(Predictor(poisoned.model()), images, keys.tolist(), np.zeros(20, int), SIGMA, w_images=6, draws=16)


def directly(probe, trigger) -> tuple[float, float]:
    """Measure one variant with nothing but the definitions."""
    on = trigger.apply(probe.images)
    asr = float((probe.predictor.logits(on).argmax(1) == 0).double().mean())
    w = measure_smoothness(probe.predictor, on[:6], SIGMA, 16, 0, keys=probe.keys[:6]).w.mean()
    return asr, float(w)


def test_a_map_over_the_place_is_what_moving_the_trigger_gives(probe, poisoned):
    *coarse, last = place_map(probe, poisoned.trigger)
    assert last.measured.all()
    assert last.rows.tolist() == last.columns.tolist() == list(range(7))
    for row, column in ((0, 0), (3, 5), (6, 6)):
        asr, w = directly(probe, Trigger.from_rgba(poisoned.trigger.rgba, row, column))
        assert (last.asr[row, column], last.w[row, column]) == (asr, w)
    assert last.asr[6, 6] > 0.9 > last.asr[0, 0] + 0.5  # where it was trained, and nowhere near
    shares = [part.share_done for part in coarse]
    assert shares == sorted(shares)
    assert shares[0] < 0.3
    for part in coarse:
        assert np.array_equal(part.asr[part.measured], last.asr[part.measured])


def test_before_it_is_measured_a_point_shows_the_nearest_one(probe, poisoned):
    first = next(place_map(probe, poisoned.trigger))
    assert first.measured.sum() == 4  # the corners
    assert first.w[1, 1] == first.w[0, 0]
    assert first.w[5, 6] == first.w[6, 6]


def test_a_map_over_the_strength_is_what_changing_the_trigger_gives(probe, poisoned):
    *_, last = strength_map(probe, poisoned.trigger)
    sides = sides_to_try(poisoned.trigger, SHAPE)
    assert last.rows.tolist() == sides
    assert 2 in sides
    for row, column in ((0, 0), (sides.index(2), len(OPACITIES) - 1), (len(sides) - 1, 3)):
        variant = faded(resized(poisoned.trigger, SHAPE, sides[row]), OPACITIES[column])
        assert (last.asr[row, column], last.w[row, column]) == directly(probe, variant)
    own = directly(probe, poisoned.trigger)
    assert (last.asr[sides.index(2), -1], last.w[sides.index(2), -1]) == own
    assert last.asr[:, 0].max() < 0.5  # a tenth of its opacity fools nobody


def test_large_images_are_tried_at_fewer_places_but_always_at_its_own():
    def flat(images):
        return torch.stack([images.mean((1, 2, 3)), -images.mean((1, 2, 3))], dim=1)

    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    probe = Probe(Predictor(flat), images, [0, 1], np.zeros(2, int), 0.1, w_images=1, draws=2)
    trigger = make_preset("yellow-sticker", (3, 32, 32))
    *_, last = place_map(probe, trigger)
    assert last.measured.all()
    assert last.asr.size < 400
    assert trigger.top in last.rows
    assert trigger.left in last.columns
    assert (last.rows[-1], last.columns[-1]) == (32 - trigger.height, 32 - trigger.width)
