"""Formulas and additive patterns: known answers, the same face as pictures, stable identities, links of every kind."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from core.attacks.triggers import (
    Additive,
    AnyTrigger,
    Sinusoid,
    Trigger,
    Warp,
    formulas,
    from_link,
    make_formula,
    make_preset,
)
from core.attacks.triggers.additive import STEPS
from core.errors import InputError

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 17, 40)]


def noise(shape, seed=0, size=0.2):
    return np.random.default_rng(seed).uniform(-size, size, shape)


def every_formula(shape):
    return [Additive.from_pattern(noise(shape)), *(make_formula(name, shape) for name in formulas())]


def levels(shape, count=5, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_apply_and_stamp_agree_to_the_bit_and_leave_their_input_alone(shape):
    images = levels(shape)
    kept = images.copy()
    for trigger in every_formula(shape):
        stamped = trigger.stamp(images)
        assert stamped.dtype == np.uint8
        assert np.array_equal(trigger.apply(torch.from_numpy(images)).numpy(), stamped)
        floats = torch.from_numpy(images).float() / 255
        # Half a level is rounding; a float32 sum is off by much less.
        assert (trigger.apply(floats) * 255 - torch.from_numpy(stamped).float()).abs().max() <= 0.5 + 1e-3
        assert np.array_equal(images, kept)
        assert not np.array_equal(stamped, images)


@pytest.mark.parametrize("shape", SHAPES)
def test_floats_stay_in_range_and_keep_their_type(shape):
    for trigger in every_formula(shape):
        for kind in (torch.float16, torch.float32, torch.float64):
            after = trigger.apply(torch.rand(2, *shape, generator=torch.Generator().manual_seed(0)).to(kind))
            assert after.dtype == kind
            assert after.min() >= 0
            assert after.max() <= 1 + 2e-3  # the weights of a half-precision mean may sum to a little more than 1


@pytest.mark.parametrize("shape", SHAPES)
def test_covered_pixels_are_those_that_can_change(shape):
    images = levels(shape, count=40)
    for trigger in every_formula(shape):
        exact = torch.from_numpy(images).double() / 255
        changed = (trigger.apply(exact) != exact).numpy()
        assert not (changed.any(axis=(0, 1)) & ~trigger.covers(shape)).any()
        assert trigger.covers(shape).mean() > 0.5


def test_a_pattern_is_added_and_clipped():
    pattern = np.zeros((1, 4, 4))
    pattern[0, 0] = [0.25, -0.25, 1, -1]
    after = Additive.from_pattern(pattern).apply(torch.full((1, 1, 4, 4), 0.5))[0, 0]
    assert after[0].tolist() == [0.75, 0.25, 1.0, 0.0]
    assert (after[1:] == 0.5).all()
    assert Additive.from_pattern(pattern).covers((1, 4, 4)).sum() == 4


def test_whole_levels_are_kept_exactly_and_others_within_half_a_step():
    whole = np.arange(-96, 96).reshape(3, 8, 8) / 255
    assert np.array_equal(Additive.from_pattern(whole).pattern((3, 8, 8)), whole.astype(np.float32))
    any_values = noise((3, 8, 8), size=1)
    error = np.abs(Additive.from_pattern(any_values).pattern((3, 8, 8)) - any_values).max()
    assert error <= 0.5 / STEPS + 1e-7


def test_equal_patterns_are_one_trigger_however_they_are_packed():
    trigger = Additive.from_pattern(noise((1, 8, 8)), name="mine")
    raw = zlib.decompress(base64.b64decode(trigger.steps))
    repacked = base64.b64encode(zlib.compress(raw, 0)).decode()
    other = trigger.model_copy(update={"steps": repacked, "name": "other"})
    other = Additive.model_validate(other.model_dump())
    assert other.steps != trigger.steps
    assert other == trigger
    assert other.identity == trigger.identity
    assert hash(other) == hash(trigger)
    assert Additive.from_pattern(noise((1, 8, 8), seed=1)) != trigger


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (np.zeros((1, 8, 8)), "zero everywhere"),
        (np.full((1, 8, 8), 1e-6), "zero everywhere"),
        (np.full((1, 8, 8), 1.01), "from -1 to 1"),
        (np.full((1, 8, 8), np.nan), "from -1 to 1"),
        (np.ones((8, 8)), "channels, height, width"),
        (np.ones((2, 8, 8)), "1 or 3 channels"),
        (np.ones((1, 0, 8)), "1 or 3 channels"),
        (np.ones((1, 1, 2000)), "1024 pixels"),
    ],
)
def test_what_cannot_be_a_pattern_gets_a_sentence(pattern, words):
    with pytest.raises(InputError, match=words):
        Additive.from_pattern(pattern)


def test_a_pattern_fits_images_of_its_own_shape_only():
    trigger = Additive.from_pattern(noise((1, 8, 8)))
    for shape in ((3, 8, 8), (1, 8, 9), (1, 28, 28)):
        with pytest.raises(InputError, match="made for images of 1x8x8"):
            trigger.apply(torch.zeros(1, *shape))


def test_the_sinusoid_is_the_published_one():
    # v(i, j) = delta sin(2 pi j f / m) with columns j counted from 1: one whole period on four columns is 1, 0, -1, 0.
    after = Sinusoid(delta=0.25, frequency=1).apply(torch.full((1, 3, 2, 4), 0.5))
    torch.testing.assert_close(after, torch.tensor([0.75, 0.5, 0.25, 0.5]).expand(1, 3, 2, 4))


@pytest.mark.parametrize(("frequency", "width"), [(4, 8), (8, 8), (14, 28), (16, 32)])
def test_a_sinusoid_that_vanishes_on_the_pixels_gets_a_sentence(frequency, width):
    with pytest.raises(InputError, match="zero at every one"):
        Sinusoid(frequency=frequency).check_fits((1, 8, width))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("strength", [0.5, 3.0])
def test_the_warp_is_torchs_grid_sample_along_a_bicubic_grid(shape, strength):
    _, height, width = shape
    trigger = Warp(k=4, strength=strength, seed=3)
    shifts = np.random.default_rng([3, 0x3A9B]).uniform(-1, 1, (1, 2, 4, 4))
    shifts = torch.from_numpy(shifts / np.abs(shifts).mean())
    field = torch.nn.functional.interpolate(shifts, (height, width), mode="bicubic", align_corners=True)
    rows = torch.linspace(-1, 1, height, dtype=torch.float64)[:, None] + strength * field[0, 0] / height
    columns = torch.linspace(-1, 1, width, dtype=torch.float64) + strength * field[0, 1] / width
    grid = torch.stack([columns, rows], dim=-1).clamp(-1, 1)[None]
    images = torch.rand(1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = torch.nn.functional.grid_sample(images, grid, mode="bilinear", align_corners=True)
    torch.testing.assert_close(trigger.apply(images), expected, atol=1e-6, rtol=0)  # weights are float32


def test_a_warp_keeps_flat_images_and_its_seed_decides():
    flat = np.full((1, 3, 16, 16), 77, np.uint8)
    assert np.array_equal(Warp(strength=3).stamp(flat), flat)
    images = levels((3, 16, 16))
    assert np.array_equal(Warp(seed=1).stamp(images), Warp(seed=1).stamp(images))
    assert not np.array_equal(Warp(seed=1).stamp(images), Warp(seed=2).stamp(images))
    with pytest.raises(InputError, match="8x8 control points"):
        Warp(k=8).stamp(levels((1, 7, 9)))


@pytest.mark.parametrize("shape", SHAPES)
def test_links_and_json_of_every_kind_round_trip(shape):
    reader = TypeAdapter(AnyTrigger)
    for trigger in [make_preset("blend", shape), *every_formula(shape), Sinusoid(delta=1 / 3, frequency=2.5)]:
        assert from_link(trigger.to_link()) == trigger
        assert from_link(trigger.to_link(), "named").name == "named"
        again = reader.validate_json(trigger.model_dump_json())
        assert again == trigger
        assert type(again) is type(trigger)
        assert set(trigger.to_link()) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


def test_a_link_cut_anywhere_is_never_another_pattern():
    trigger = Additive.from_pattern(noise((3, 8, 8)))
    link = trigger.to_link()
    for length in range(len(link)):
        with pytest.raises(InputError):
            from_link(link[:length])


@pytest.mark.parametrize(
    "text",
    [
        "sinusoid~x~3",
        "sinusoid~nan~3",
        "sinusoid~inf~3",
        "sinusoid~0.1",
        "sinusoid~9~3",
        "warp~1~0.5~0",
        "warp~4~0.5~-1",
        "warp~4.5~0.5~1",
        "foo~1~2",
        "~",
        "additive~2~8~8~eJw",
        "additive~1~8~8~!!!!",
        "additive~1~99999~99999~eJw",
        f"additive~1~8~8~{base64.urlsafe_b64encode(zlib.compress(bytes(10_000_000))).decode().rstrip('=')}",
    ],
)
def test_hostile_links_get_a_sentence(text):
    with pytest.raises(InputError, match="link is damaged"):
        from_link(text)


@pytest.mark.parametrize("kind", [{}, {"kind": "surprise"}, {"kind": ["picture"]}])
def test_a_trigger_says_its_kind(kind):
    stored = json.loads(make_preset("white-corner", (1, 8, 8)).model_dump_json())
    assert isinstance(TypeAdapter(AnyTrigger).validate_python(stored), Trigger)
    del stored["kind"]
    with pytest.raises(ValidationError, match="a trigger's kind is one of: picture"):
        TypeAdapter(AnyTrigger).validate_python(stored | kind)


def test_unknown_formulas_get_a_sentence_and_making_one_needs_no_torch():
    with pytest.raises(InputError, match="choose one of: sinusoid, warp"):
        make_formula("nope", (1, 8, 8))
    code = (
        "import sys, numpy as np\n"
        "from core.attacks.triggers import Warp, from_link\n"
        "from core.attacks.triggers.visibility import visible_change\n"
        "images = np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8)\n"
        "visible_change(images, from_link(Warp().to_link()).stamp(images))\n"
        "assert 'torch' not in sys.modules and 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
