"""A moved, resized, faded copy of a trigger: what each change keeps, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from core.attacks.triggers import Trigger, make_preset
from core.attacks.triggers.placing import (
    Placing,
    appearance,
    can_be_moved,
    faded,
    largest_side,
    moved,
    placed,
    possible_sizes,
    resized,
)
from core.errors import InputError

SHAPE = (1, 8, 8)


def test_moving_keeps_the_trigger_on_the_image():
    trigger = make_preset("white-corner", SHAPE)
    assert (moved(trigger, SHAPE, 99, -4).top, moved(trigger, SHAPE, 99, -4).left) == (6, 0)
    assert can_be_moved(trigger, SHAPE)
    assert not can_be_moved(make_preset("frame", SHAPE), SHAPE)
    assert not can_be_moved(object(), SHAPE)


def test_fading_multiplies_alpha_and_loses_no_pixel():
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 3] = 255, 2, 0
    trigger = Trigger.from_rgba(rgba, 0, 0)
    assert faded(trigger, 0.5).rgba[0, :, 3].tolist() == [128, 1, 0]
    assert faded(trigger, 0.01).rgba[0, :, 3].tolist() == [3, 1, 0]
    assert faded(trigger, 1.0) == trigger
    with pytest.raises(InputError, match="opacity"):
        faded(trigger, 0)


def test_resizing_repeats_or_leaves_out_pixels_about_the_centre():
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[..., 0], rgba[..., 3] = [[1, 2], [3, 4]], 255
    trigger = Trigger.from_rgba(rgba, 3, 3)
    double = resized(trigger, SHAPE, 4)
    assert double.rgba[..., 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    assert (double.top, double.left) == (2, 2)
    assert resized(trigger, SHAPE, 2) == trigger
    corner = resized(make_preset("white-corner", SHAPE), SHAPE, 6)
    assert (corner.top, corner.left, corner.height) == (2, 2, 6)  # moved inwards as far as it has to
    assert largest_side(trigger, SHAPE) == 8
    with pytest.raises(InputError, match="from 1 to 8"):
        resized(trigger, SHAPE, 9)


def test_a_trigger_looks_as_it_does_on_the_images():
    sticker = make_preset("yellow-sticker", SHAPE)
    grey = appearance(sticker, SHAPE)
    stamped = sticker.stamp(np.zeros((1, *SHAPE), np.uint8))[0, 0, sticker.top, sticker.left]
    assert (grey[0, 0, :3] == stamped).all()
    assert (appearance(sticker, (3, 8, 8)) == sticker.rgba).all()


def test_a_trigger_is_placed_by_resizing_fading_and_moving_it():
    trigger = make_preset("white-corner", SHAPE)
    assert placed(trigger, SHAPE, Placing.of(trigger)) == trigger
    changed = placed(trigger, SHAPE, Placing(1, 9, 3, 0.5))
    assert changed == Trigger.from_rgba(faded(resized(trigger, SHAPE, 3), 0.5).rgba, 1, 5)
    assert Placing.of(changed) == Placing(1, 5, 3)  # its opacity is in its pixels now
    with pytest.raises(InputError, match="from 1 to 8"):
        placed(trigger, SHAPE, Placing(0, 0, 9))


def test_the_possible_sizes_are_those_that_leave_something():
    rgba = np.zeros((2, 4, 4), np.uint8)
    rgba[:, 0, 3] = 255  # only its first column shows
    sizes = possible_sizes(Trigger.from_rgba(rgba, 0, 0), SHAPE)
    assert sizes[4] == (2, 4)
    assert sizes[8] == (4, 8)
    assert list(sizes) == [3, 4, 5, 6, 7, 8]  # at 1 and 2 the nearest column is a transparent one
