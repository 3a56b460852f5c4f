"""Pictures that people upload: every usual kind is read as it looks elsewhere, everything else gets one sentence."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from core.attacks.triggers import pictures
from core.attacks.triggers.pictures import read_picture, scale_to_fit, trigger_from_picture
from core.errors import InputError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def saved(picture, form="PNG", **options):
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def stripes(mode="RGB", size=(6, 4)):
    """Return a picture whose left half is red and whose right half is blue."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return picture.convert(mode)


def picture_or_sentence(data):
    try:
        return read_picture(data, "x")
    except InputError as error:
        return str(error)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_size(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def bmp_of_size(width, height):
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, *[0] * 6)


def gif_of_size(width, height):
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0, 0, 0)
        + b"\x2c"
        + struct.pack("<HHHHB", 0, 0, width, height, 0)
    )


def webp_of_size(width, height):
    # The extended header alone: canvas width and height less one, 24 bits each.
    extended = struct.pack("<I", 0) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBP" + b"VP8X" + struct.pack("<I", len(extended)) + extended
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("form", ["PNG", "WEBP", "BMP", "JPEG", "GIF"])
def test_every_usual_kind_is_read(form):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}.get(form, {})
    rgba = read_picture(saved(stripes(size=(32, 16)), form, **options), "x")
    assert rgba.shape == (16, 32, 4)
    assert rgba.dtype == np.uint8
    assert (rgba[..., 3] == 255).all()
    # JPEG is lossy; far from the edge the colours are right to a few levels.
    assert np.abs(rgba[8, 4, :3].astype(int) - RED).max() <= 6
    assert np.abs(rgba[8, 28, :3].astype(int) - BLUE).max() <= 6


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_becomes_straight_rgba(mode):
    form = "JPEG" if mode in {"CMYK", "YCbCr"} else "PNG"
    rgba = read_picture(saved(stripes(mode, (32, 16)), form), "x")
    expected = np.asarray(stripes(mode, (32, 16)).convert("RGB"))
    assert np.abs(rgba[8, [4, 28], :3].astype(int) - expected[8, [4, 28]]).max() <= 8


def test_a_palette_keeps_its_transparent_colour_and_its_alphas():
    picture = Image.new("P", (3, 1))
    picture.putpalette([*RED, *GREEN, *BLUE])
    picture.putdata([0, 1, 2])
    for form in ("PNG", "GIF"):
        alpha = read_picture(saved(picture, form, transparency=1), "x")[0, :, 3]
        assert alpha.tolist() == [255, 0, 255]
    assert read_picture(saved(picture, transparency=bytes([0, 128, 255])), "x")[0, :, 3].tolist() == [0, 128, 255]


def test_a_colour_that_means_transparent_is_transparent():
    assert read_picture(saved(stripes(), transparency=RED), "x")[0, :, 3].tolist() == [0, 0, 0, 255, 255, 255]
    grey = Image.new("L", (2, 1))
    grey.putdata([7, 9])
    assert read_picture(saved(grey, transparency=7), "x")[0, :, 3].tolist() == [0, 255]


def test_sixteen_bits_become_eight_and_a_dark_picture_stays_dark():
    values = np.array([[0, 255, 256, 5000, 65535]], np.uint16)
    rgba = read_picture(saved(Image.fromarray(values)), "x")
    assert rgba[0, :, 0].tolist() == [0, 0, 1, 19, 255]
    assert (rgba[..., 0] == rgba[..., 2]).all()
    assert (rgba[..., 3] == 255).all()
    assert read_picture(saved(Image.fromarray(values[:, :3])), "x").max(axis=1)[0, 0] == 1


@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP"])
def test_of_an_animation_the_first_frame_counts(form):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if form == "WEBP" else {}
    data = saved(frames[0], form, save_all=True, append_images=frames[1:], duration=50, **options)
    assert (read_picture(data, "x")[..., :3] == RED).all()


def test_a_photograph_is_turned_as_its_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    rgba = read_picture(saved(stripes(size=(32, 16)), exif=exif), "x")
    assert rgba.shape == (32, 16, 4)
    assert rgba[2, 8, :3].tolist() == list(RED)
    assert rgba[30, 8, :3].tolist() == list(BLUE)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "BMP", "JPEG", "GIF"])
def test_a_file_cut_anywhere_gets_a_sentence_or_its_picture(form):
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), form)
    results = [picture_or_sentence(data[:length]) for length in range(0, len(data), max(1, len(data) // 40))]
    sentences = [result for result in results if isinstance(result, str)]
    assert len(sentences) > 30
    assert not any("\n" in sentence for sentence in sentences)
    assert all(np.array_equal(result, read_picture(data, "x")) for result in results if not isinstance(result, str))


@pytest.mark.parametrize("form", ["PNG", "WEBP", "BMP", "JPEG", "GIF"])
def test_flipped_bits_never_give_more_than_a_sentence(form):
    data, random = saved(stripes(size=(16, 16)), form), np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(data)
        for place in random.integers(0, len(data), 4):
            damaged[place] ^= 1 << random.integers(8)
        result = picture_or_sentence(bytes(damaged))
        assert "\n" not in result if isinstance(result, str) else result.shape[2] == 4


@pytest.mark.parametrize(
    "data",
    [png_of_size(10_000, 10_000), png_of_size(60_000, 60_000), bmp_of_size(30_000, 30_000), gif_of_size(65_535, 65_535),
     webp_of_size(16_383, 16_383)],
    ids=["png", "huge png", "bmp", "gif", "webp"],
)  # fmt: skip
def test_a_bomb_is_refused_before_it_goes_off(data):
    assert len(data) < 200
    with pytest.raises(InputError, match=r"mega|not a picture"):
        read_picture(data, "bomb")


def test_a_picture_just_above_the_limit_is_told_its_size(monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1000)
    assert read_picture(saved(Image.new("L", (25, 40))), "x").shape == (40, 25, 4)
    with pytest.raises(InputError, match="megapixels"):
        read_picture(saved(Image.new("L", (26, 40))), "x")
    monkeypatch.setattr(pictures, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="MiB"):
        read_picture(saved(Image.new("L", (2, 2))), "x")


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 100, b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x04\0\0\0WEBP", b"\xff\xd8\xff\xe0", b"BM", b"<svg/>",
     b"%!PS-Adobe-3.0 EPSF-3.0\n", b"II*\0\x08\0\0\0"],
)  # fmt: skip
def test_what_is_no_picture_gets_a_sentence(data):
    with pytest.raises(InputError, match=r"^x\.png "):
        read_picture(data, "x.png")


def test_other_formats_are_not_even_tried():
    # Pillow would read these, some with programs of the system: they are none of the kinds that are promised.
    for form in ("TIFF", "PPM", "ICO", "TGA"):
        with pytest.raises(InputError, match="not a picture"):
            read_picture(saved(Image.new("RGB", (16, 16)), form), "x")


def test_reading_says_nothing_to_the_console():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_picture(saved(stripes("P"), transparency=0), "x")
        with pytest.raises(InputError):
            read_picture(png_of_size(10_000, 10_000), "x")


def test_shrinking_does_not_mix_in_what_is_invisible():
    # Invisible green beside visible red: scaled without its alpha it would leave a green edge.
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[:, :8], rgba[:, 8:] = (*RED, 255), (*GREEN, 0)
    small = scale_to_fit(rgba, 5, 5)
    assert small.shape == (5, 5, 4)
    seen = small[small[..., 3] > 8]
    assert (seen[:, 1] <= 2).all()
    assert (seen[:, 0] >= 250).all()


def test_an_uploaded_picture_lies_where_it_is_put():
    trigger = trigger_from_picture(saved(stripes()), "holiday photo.png", (3, 32, 32), 5, 7)
    after = trigger.stamp(np.zeros((1, 3, 32, 32), np.uint8))[0]
    assert after[:, 5:9, 7:10].reshape(3, -1).T.tolist() == [list(RED)] * 12
    assert after[:, 5:9, 10:13].reshape(3, -1).T.tolist() == [list(BLUE)] * 12
    assert (np.count_nonzero(after), trigger.name) == (24, "holiday photo")
