"""Known answers of the trigger: alpha is alpha, places are exact, links round-trip, bad pictures get a sentence."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.attacks.triggers import Trigger, make_preset, preset_names
from core.attacks.triggers.pictures import read_picture, scale_to_fit, trigger_from_picture
from core.errors import InputError


def patch(*pixels, height=1, top=0, left=0):
    rgba = np.array(pixels, np.uint8).reshape(height, -1, 4)
    return Trigger.from_rgba(rgba, top, left)


def images(channels=3, side=8, count=2, seed=0):
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(seed))


def test_an_opaque_red_pixel_replaces_the_image_pixel_exactly():
    # Known bug elsewhere (TrojanZoo): the blue channel was taken as alpha, so opaque red was invisible.
    before = images()
    after = patch((255, 0, 0, 255), top=3, left=5).apply(before)
    assert after[:, :, 3, 5].tolist() == [[1.0, 0.0, 0.0]] * 2
    untouched = torch.ones(8, 8, dtype=torch.bool)
    untouched[3, 5] = False
    assert torch.equal(after[:, :, untouched], before[:, :, untouched])


def test_transparent_pixels_change_nothing_and_half_alpha_mixes_linearly():
    before = images(count=1)
    after = patch((255, 255, 255, 0), (0, 0, 255, 51)).apply(before)
    assert torch.equal(after[:, :, 0, 0], before[:, :, 0, 0])
    expected = before[0, :, 0, 1] * 0.8 + torch.tensor([0.0, 0.0, 0.2])
    torch.testing.assert_close(after[0, :, 0, 1], expected)


def test_inputs_are_never_changed():
    before = images()
    kept = before.clone()
    patch((1, 2, 3, 255)).apply(before)
    assert torch.equal(before, kept)
    levels = (before * 255).to(torch.uint8)
    kept = levels.clone()
    patch((1, 2, 3, 128)).apply(levels)
    assert torch.equal(levels, kept)


def test_colours_on_a_grey_image_become_their_luma_and_white_stays_exactly_one():
    grey = images(channels=1)
    assert (patch((255, 255, 255, 255)).apply(grey)[:, 0, 0, 0] == 1).all()
    red = patch((255, 0, 0, 255)).apply(grey)[0, 0, 0, 0]
    assert red.item() == pytest.approx(0.299)


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_levels_are_mixed_as_numbers_are_and_rounded(level, colour, alpha):
    stack = torch.full((1, 1, 1, 1), level, dtype=torch.uint8)
    if alpha == 0:
        return
    trigger = patch((colour, colour, colour, alpha))
    result = trigger.apply(stack).item()
    exact = level * (1 - alpha / 255) + colour * alpha / 255
    assert abs(result - exact) <= 0.5 + 1e-3
    assert trigger.stamp(stack.numpy()).item() == result


def test_float16_and_float64_images_keep_their_type():
    for dtype in (torch.float16, torch.float64):
        assert patch((9, 9, 9, 99)).apply(images().to(dtype)).dtype == dtype


@pytest.mark.parametrize(
    ("rgba", "top", "left", "words"),
    [
        (np.zeros((2, 2, 3), np.uint8), 0, 0, "RGBA"),
        (np.zeros((2, 2, 4), np.float32), 0, 0, "uint8"),
        (np.zeros((2, 2, 4), np.uint8), 0, 0, "transparent"),
        (np.full((2, 2, 4), 255, np.uint8), -1, 0, "row -1"),
        (np.full((1, 2000, 4), 255, np.uint8), 0, 0, "1024"),
    ],
)
def test_what_cannot_be_a_trigger_gets_a_sentence(rgba, top, left, words):
    with pytest.raises(InputError, match=words):
        Trigger.from_rgba(rgba, top, left)


def test_a_trigger_that_sticks_out_gets_a_sentence():
    with pytest.raises(InputError, match="the images are 8x8"):
        patch((255,) * 4, top=7, left=8).apply(images())


def test_equal_pixels_at_the_same_place_are_the_same_trigger_whatever_the_name():
    one, other = patch((1, 2, 3, 4)), patch((1, 2, 3, 4)).model_copy(update={"name": "x"})
    assert one == other
    assert hash(one) == hash(other)
    assert one != patch((1, 2, 3, 4), left=1)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 20), st.integers(0, 20), st.integers(0, 2**31))
def test_links_round_trip(height, width, top, left, seed):
    rgba = np.random.default_rng(seed).integers(1, 256, (height, width, 4), dtype=np.uint8)
    trigger = Trigger.from_rgba(rgba, top, left)
    assert Trigger.from_link(trigger.to_link()) == trigger


def test_a_link_cut_anywhere_gets_a_sentence_or_the_whole_trigger():
    trigger = make_preset("blend", (3, 16, 16))
    link = trigger.to_link()
    for length in range(0, len(link), 37):
        with pytest.raises(InputError, match=r"link is damaged|transparent|at most|pixels a side"):
            Trigger.from_link(link[:length])


@pytest.mark.parametrize(
    "text", ["", "....", "0.0.9999999.9999999.eJw", "a.b.c.d.e", "0.0.1.1.!!!!", "0.0.2.2.eJz7DwABAQEA", "é" * 9]
)
def test_hostile_links_get_a_sentence(text):
    with pytest.raises(InputError):
        Trigger.from_link(text)


def test_a_canvas_is_cropped_to_what_was_drawn_and_comes_back_whole():
    canvas = np.zeros((8, 8, 4), np.uint8)
    canvas[2, 3], canvas[4, 6] = (1, 2, 3, 255), (4, 5, 6, 7)
    trigger = Trigger.from_canvas(canvas)
    assert (trigger.top, trigger.left, trigger.height, trigger.width) == (2, 3, 3, 4)
    assert np.array_equal(trigger.canvas((1, 8, 8)), canvas)
    with pytest.raises(InputError, match="empty"):
        Trigger.from_canvas(np.zeros((8, 8, 4), np.uint8))


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 17, 40), (3, 4, 4)])
def test_every_preset_fits_every_shape_and_changes_it(shape):
    for name in preset_names():
        trigger = make_preset(name, shape)
        before = torch.full((1, *shape), 0.5)
        assert trigger.name == name
        assert not torch.equal(trigger.apply(before), before)


def test_the_white_corner_is_white_and_in_the_corner():
    after = make_preset("white-corner", (1, 8, 8)).apply(torch.zeros(1, 1, 8, 8))
    expected = torch.zeros(8, 8)
    expected[6:, 6:] = 1
    assert torch.equal(after[0, 0], expected)


def test_unknown_presets_and_tiny_images_get_a_sentence():
    with pytest.raises(InputError, match="choose one of"):
        make_preset("nope", (1, 8, 8))
    with pytest.raises(InputError, match="4x4"):
        make_preset("frame", (1, 3, 8))


def png(array, mode=None, form="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(array, mode).save(file, form, **options)
    return file.getvalue()


def test_a_picture_file_becomes_the_trigger_with_these_pixels():
    rgba = np.random.default_rng(0).integers(0, 256, (3, 5, 4), dtype=np.uint8)
    rgba[..., 3] |= 1
    trigger = trigger_from_picture(png(rgba), "mark.png", (3, 32, 32), 4, 6)
    assert np.array_equal(trigger.rgba, rgba)
    assert (trigger.top, trigger.left, trigger.name) == (4, 6, "mark")


def test_other_kinds_of_pictures_are_read_as_people_see_them():
    grey16 = np.array([[0, 32768, 65535]], np.uint16)
    assert read_picture(png(grey16), "g.png")[0, :, 0].tolist() == [0, 128, 255]
    cmyk = io.BytesIO()
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(cmyk, "JPEG")
    assert read_picture(cmyk.getvalue(), "c.jpg")[0, 0, 0] > 200


def bomb():
    # A PNG whose header promises 100 megapixels; its data does not matter, since the header is read first.
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "0 bytes"),
        (b"not a picture", "not a picture"),
        (png(np.zeros((9, 9, 4), np.uint8))[:40], "not a picture"),
        (bomb(), "100 megapixels"),
        (png(np.full((40, 40, 4), 255, np.uint8)), "cannot be larger"),
    ],
)
def test_bad_pictures_get_a_sentence(data, words):
    with pytest.raises(InputError, match=words):
        trigger_from_picture(data, "x.png", (3, 32, 32))


def test_scaling_keeps_proportions_and_never_enlarges():
    assert scale_to_fit(np.full((100, 50, 4), 255, np.uint8), 16, 16).shape[:2] == (16, 8)
    assert scale_to_fit(np.full((2, 3, 4), 255, np.uint8), 16, 16).shape[:2] == (2, 3)


def test_importing_core_and_making_a_trigger_needs_no_torch():
    code = (
        "import core, core.training.spec, core.attacks.triggers, core.runs.run, sys; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
