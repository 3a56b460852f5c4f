"""How visible a trigger is: numbers that can be worked out by hand, and SSIM against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.attacks.triggers import Additive, Trigger, make_preset
from core.attacks.triggers.visibility import strongest_difference, structural_similarity, visible_change
from core.errors import InputError


def grey(level, shape=(1, 1, 8, 8)):
    return np.full(shape, level, np.uint8)


def visibility(trigger, images):
    return visible_change(images, trigger.stamp(images))


def random_images(shape, seed=0):
    return np.random.default_rng(seed).random(shape)


def test_one_changed_pixel_by_hand():
    # A grey pixel of level 0 becomes 102 = 0.4: L2 = Linf = 0.4.
    dot = Trigger.from_rgba(np.array([[[102, 102, 102, 255]]], np.uint8), 3, 4)
    seen = visibility(dot, grey(0))
    assert seen.l2 == pytest.approx(0.4)
    assert seen.linf == pytest.approx(0.4)
    # 0.4 is 0.1329 of the light of white, whose lightness is 116 * 0.1329^(1/3) - 16 = 43.2, here on one pixel of nine.
    assert seen.jnd == pytest.approx(43.2 / 9 / 2.3, abs=0.01)


def test_images_that_do_not_change_count_as_well():
    white = make_preset("white-corner", (1, 8, 8))
    seen = visibility(white, np.concatenate([grey(255), grey(0)]))
    assert seen.linf == 0.5
    assert seen.jnd == pytest.approx(100 * 4 / 9 / 2.3 / 2)
    nothing = visibility(white, grey(255))
    assert (nothing.jnd, nothing.ssim, nothing.in_words) == (0, 1, "below what an eye notices")


# CIELAB of these sRGB colours, as colour tables print them.
PRINTED = {
    (255, 0, 0): (53.24, 80.09, 67.20),
    (0, 255, 0): (87.73, -86.18, 83.18),
    (0, 0, 255): (32.30, 79.20, -107.86),
}


@pytest.mark.parametrize("colour", PRINTED)
def test_differences_are_those_of_cielab(colour):
    image = np.array(colour)[None, :, None, None] / 255 * np.ones((1, 3, 8, 8))
    expected = math.dist(PRINTED[colour], (100, 0, 0)) / 2.3
    assert strongest_difference(image, np.ones((1, 3, 8, 8))) == pytest.approx(expected, abs=0.05)


def test_a_tiny_bright_patch_is_clearly_visible_where_ssim_sees_nothing():
    images = np.random.default_rng(5).integers(60, 200, (8, 3, 32, 32)).astype(np.uint8)
    patch = visibility(make_preset("white-corner", (3, 32, 32)), images)
    noise = visibility(Additive.from_pattern(np.random.default_rng(2).choice([-1, 1], (3, 32, 32)) / 255), images)
    assert patch.ssim > 0.98
    assert (patch.in_words, noise.in_words) == ("clearly visible", "below what an eye notices")
    assert patch.jnd > 10 * noise.jnd


def test_equal_images_have_ssim_one_and_it_is_symmetric():
    one, other = random_images((4, 3, 32, 32)), random_images((4, 3, 32, 32), seed=1)
    assert np.allclose(structural_similarity(one, one), 1, atol=1e-12)
    assert np.allclose(structural_similarity(one, other), structural_similarity(other, one))
    assert (structural_similarity(one, other) < 0.2).all()


@pytest.mark.parametrize("side", [8, 10, 11, 32])
def test_a_constant_shift_of_a_constant_image_has_the_closed_form(side):
    # No variance on either side: what is left is (2 a b + C1) / (a^2 + b^2 + C1).
    a, b = 0.3, 0.5
    flat = np.ones((1, 1, side, side))
    expected = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    assert structural_similarity(a * flat, b * flat) == pytest.approx(expected, abs=1e-9)


def test_ssim_is_its_definition_window_by_window():
    one, other = random_images((1, 2, 13, 15)), random_images((1, 2, 13, 15), seed=1)
    other = 0.7 * one + 0.3 * other
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for channel in range(2):
        for top in range(3):
            for left in range(5):
                x, y = (images[0, channel, top : top + 11, left : left + 11] for images in (one, other))
                mx, my = (weights * x).sum(), (weights * y).sum()
                vx, vy = (weights * (x - mx) ** 2).sum(), (weights * (y - my) ** 2).sum()
                covariance = (weights * (x - mx) * (y - my)).sum()
                values.append(
                    (2 * mx * my + 1e-4) * (2 * covariance + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
                )
    assert structural_similarity(one, other)[0] == pytest.approx(np.mean(values), abs=1e-10)


def test_a_stronger_trigger_is_more_visible_in_every_number():
    images = (255 * random_images((6, 3, 16, 16))).astype(np.uint8)
    pattern = np.random.default_rng(2).choice([-1.0, 1.0], (3, 16, 16))
    faint, strong = (visibility(Additive.from_pattern(size * pattern), images) for size in (4 / 255, 32 / 255))
    assert faint.l2 < strong.l2
    assert faint.linf < strong.linf
    assert faint.jnd < strong.jnd
    assert faint.ssim > strong.ssim
    assert faint.linf == pytest.approx(4 / 255)


def test_what_cannot_be_compared_gets_a_sentence():
    with pytest.raises(InputError, match="equal stacks"):
        visible_change(grey(0), grey(0, (1, 1, 8, 9)))
    with pytest.raises(InputError, match="equal stacks"):
        visible_change(grey(0)[:0], grey(0)[:0])
