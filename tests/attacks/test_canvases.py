"""Canvases made from pictures, words and blends: every pixel where it was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from core.attacks.triggers import Trigger, make_preset
from core.attacks.triggers.canvases import blend_image, blend_noise, place_picture, write_text
from core.errors import InputError

SHAPE = (3, 8, 12)
WHOLE, CENTRE = (0.0, 0.0, 1.0, 1.0), (0.5, 0.5)
RED, BLUE = (255, 0, 0, 255), (0, 0, 255, 255)


def halves(height: int = 4, width: int = 4) -> np.ndarray:
    """Return a picture that is red on the left and blue on the right."""
    rgba = np.full((height, width, 4), RED, np.uint8)
    rgba[:, width // 2 :] = BLUE
    return rgba


@pytest.mark.parametrize(
    ("middle", "top", "left"), [((0, 0), 0, 0), ((1, 1), 4, 8), ((0.5, 0.5), 2, 4), ((1, 0), 0, 8)]
)
def test_a_picture_at_its_own_size_lies_where_it_is_put(middle, top, left):
    canvas = place_picture(halves(), SHAPE, crop=WHOLE, side=4, middle=middle)
    expected = np.zeros((8, 12, 4), np.uint8)
    expected[top : top + 4, left : left + 4] = halves()
    np.testing.assert_array_equal(canvas, expected)


def test_the_crop_cuts_in_shares_of_the_picture():
    canvas = place_picture(halves(10, 10), SHAPE, crop=(0.5, 0.2, 1.0, 0.6), side=5, middle=(0, 0))
    assert (canvas[:4, :5] == BLUE).all()
    assert not canvas[4:].any()
    assert not canvas[:, 5:].any()


def test_a_picture_is_enlarged_crisply_and_never_beyond_the_canvas():
    canvas = place_picture(halves(2, 4), SHAPE, crop=WHOLE, side=12, middle=CENTRE)
    assert (canvas[1:7, :6] == RED).all()
    assert (canvas[1:7, 6:] == BLUE).all()
    tall = place_picture(halves(40, 4), SHAPE, crop=WHOLE, side=100, middle=(0, 0))
    assert tall[..., 3].any(axis=1).sum() == 8
    assert tall[..., 3].any(axis=0).sum() == 1


def test_on_grey_images_the_canvas_shows_the_grey_that_the_trigger_will_have():
    colours = np.random.default_rng(0).integers(0, 256, (4, 4, 4), dtype=np.uint8)
    colours[..., 3] = 255
    canvas = place_picture(colours, (1, 4, 4), crop=WHOLE, side=4, middle=(0, 0))
    assert (canvas[..., :3] == canvas[..., :1]).all()
    black = np.zeros((1, 1, 4, 4), np.uint8)
    difference = Trigger.from_canvas(canvas).stamp(black).astype(int) - Trigger.from_canvas(colours).stamp(black)
    assert np.abs(difference).max() <= 1  # Pillow rounds luma by itself


def test_what_lies_unseen_beneath_transparent_pixels_stays_unseen():
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:, :4] = RED
    rgba[:, 4:] = (0, 255, 0, 0)  # green that nobody sees
    canvas = place_picture(rgba, SHAPE, crop=WHOLE, side=2, middle=(0, 0))
    assert canvas[..., 1].max() == 0


@pytest.mark.parametrize("crop", [(0.5, 0.0, 0.5, 1.0), (0.0, 0.9, 1.0, 0.1)])
def test_an_empty_crop_gives_a_sentence(crop):
    with pytest.raises(InputError, match="Nothing is left"):
        place_picture(halves(), SHAPE, crop=crop, side=4, middle=CENTRE)


def test_text_is_written_in_its_colour_and_opacity():
    shape = (3, 32, 32)
    canvas = write_text("II", shape, size=20, colour=(10, 200, 30), opacity=0.5, middle=CENTRE)
    drawn = canvas[..., 3] > 0
    assert 20 < drawn.sum() < 500
    assert (canvas[drawn][:, :3] == (10, 200, 30)).all()
    assert canvas[..., 3].max() == 128
    rows, columns = np.nonzero(drawn)
    assert rows.min() + rows.max() == pytest.approx(31, abs=1)
    assert columns.min() + columns.max() == pytest.approx(31, abs=1)
    # Two bars with a gap between them.
    assert np.flatnonzero(np.diff(drawn.any(0).astype(int))).size == 4


def test_small_text_has_hard_pixels_and_long_text_is_cut_off():
    canvas = write_text("backdoor", (1, 8, 8), size=8, colour=(255, 255, 255), opacity=1.0, middle=(0, 0))
    assert set(np.unique(canvas[..., 3])) == {0, 255}
    assert canvas[:, 0, 3].any()
    with pytest.raises(InputError, match="at most 24"):
        write_text("x" * 25, (1, 8, 8), size=8, colour=(0, 0, 0), opacity=1.0, middle=(0, 0))
    assert not write_text("  ", (1, 8, 8), size=8, colour=(0, 0, 0), opacity=1.0, middle=(0, 0)).any()


def test_blends_cover_everything_at_one_opacity():
    noise = blend_noise((3, 32, 32), 0.2, 2017)
    assert Trigger.from_canvas(noise) == make_preset("blend", (3, 32, 32))
    assert (blend_noise((3, 32, 32), 0.2, 1) != noise).any()
    image = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    blended = Trigger.from_canvas(blend_image(image, 0.25)).stamp(np.full((1, 3, 4, 5), 200, np.uint8))[0]
    alpha = 64 / 255
    np.testing.assert_array_equal(blended, np.rint(200 * (1 - alpha) + image * alpha))
    grey = blend_image(image[:1], 0.25)
    assert (grey[..., 0] == image[0]).all()
    assert (grey[..., 2] == image[0]).all()
