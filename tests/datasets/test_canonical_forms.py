"""Names and pictures are brought to one form first; whatever is left out is counted and named."""

from __future__ import annotations

import io
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.datasets import Dataset, load_dataset
from core.datasets.zip_folder.layout import read_layout
from core.datasets.zip_folder.splits import role_of
from core.errors import InputError


def picture(shade: int = 90, size: tuple[int, int] = (10, 8), kind: str = "PNG", **how: object) -> bytes:
    """Return a picture that is dark on its left and `shade` on its right."""
    pixels = np.zeros((size[1], size[0]), np.uint8)
    pixels[:, size[0] // 2 :] = shade
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **how)
    return buffer.getvalue()


def two_classes(ending: str = "png", count: int = 5, **how: object) -> dict[str, bytes]:
    return {
        f"{name}/{number}.{ending}": picture(shade, **how)
        for name, shade in (("a", 90), ("b", 200))
        for number in range(count)
    }


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path / "x.zip", "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path / "x.zip"


def unpacked(path: Path, members: dict[str, bytes]) -> Path:
    for name, content in members.items():
        (path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "x" / name).write_bytes(content)
    return path / "x"


@pytest.fixture(params=["zip", "folder"])
def load(request, tmp_path):
    """Return what loads files by name, as a ZIP and as a folder."""

    def load_members(members: dict[str, bytes]) -> Dataset:
        place = (packed if request.param == "zip" else unpacked)(tmp_path, members)
        return load_dataset(f"{request.param}:{place}", tmp_path / "data")

    return load_members


TRAIN = ["train", "Training", "trainset", "training_set", "seg_train", "Training Set", "train_images", "train2017"]
TEST = ["test", "Testing", "testset", "test_set", "seg_test", "holdout", "eval_data", "test1"]
VALIDATION = ["val", "valid", "dev", "Validation Set", "val2017"]


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("train", TRAIN),
        ("test", TEST),
        ("validation", VALIDATION),
        (None, ["trained", "contest", "tram", "value", "data", "images", "3", "x-ray", "dev board"]),
    ],
)
def test_usual_names_of_splits(role, names):
    assert {name: role_of(name) for name in names} == dict.fromkeys(names, role)


@pytest.mark.parametrize(("train", "test"), list(zip(TRAIN, [*TEST[:6], *VALIDATION[:2]], strict=True)))
@pytest.mark.parametrize(
    "form", ["{split}/{name}/{n}.png", "set/{split}/{split}/{name}/{n}.png", "{name}/{split}/{n}.png"]
)
def test_a_split_is_a_split_under_each_usual_name_and_in_each_usual_place(train, test, form):
    names = [
        form.format(split=split, name=name, n=n)
        for split, count in ((train, 4), (test, 2))
        for name in ("cat", "dog")
        for n in range(count)
    ]
    layout = read_layout(names, "x.zip")
    assert (layout.classes, len(layout.train), len(layout.test), layout.notes) == (("cat", "dog"), 8, 4, ())
    assert all(test in name for name, _ in layout.test)


def test_vehicles_may_be_called_train():
    layout = read_layout([f"{name}/{n}.png" for name in ("bus", "train", "plane") for n in range(5)], "x.zip")
    assert (layout.classes, len(layout.test)) == (("bus", "plane", "train"), 3)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["train/cat.0.png", "train/dog.0.png", "test/1.png"], "split into test and train"),
        (["train/a/0.png", "train/b/0.png", "rest/a/0.png"], "the folders rest and train"),
        (["train/a/0.png", "training/b/0.png", "test/a/0.png"], "the folders test, train and training"),
    ],
)
def test_what_looks_like_a_split_and_is_none_is_refused(names, said):
    with pytest.raises(InputError, match=said):
        read_layout(names, "x.zip")


def test_what_is_left_out_is_counted_and_named(load):
    split = {
        f"{part}/{name}": content for part in ("train", "test", "valid") for name, content in two_classes().items()
    }
    other = {
        "cover.png": picture(),
        "labels.csv": b"a,b",
        "train/a/photo.heic": b"\0\0\0 ftypheic",
        "train/Thumbs.db": b"",
    }
    data = load(split | other)
    assert (len(data.train), len(data.test)) == (10, 10)
    files, outside, valid = data.notes
    assert files.startswith("2 files left out")
    assert "'labels.csv', 'train/a/photo.heic'" in files
    assert outside == "1 image outside class folders left out: 'cover.png'."
    assert valid.startswith("10 images left out because only train and test are used")
    again = load(split | other)
    assert again.notes == data.notes


@pytest.mark.parametrize("ending", ["jfif", "jpe", "pjpeg", "JPG_large", "", "webp"])
def test_pictures_are_known_by_their_content_where_the_ending_is_unusual(load, ending):
    data = load(two_classes(ending, kind="WEBP" if ending == "webp" else "JPEG"))
    assert (len(data.train), len(data.test), data.notes) == (8, 2, ())


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC"])
def test_composed_and_decomposed_letters_are_one_class(load, form):
    names = [unicodedata.normalize("NFC", "Äpfel"), unicodedata.normalize(form, "Äpfel")]
    members = {
        f"{part}/{name}/{n}.png": picture() for part, name in zip(("train", "test"), names, strict=True) for n in (0, 1)
    }
    members |= {f"{part}/Nüsse/{n}.png": picture(200) for part in ("train", "test") for n in (0, 1)}
    assert load(members).classes == ("Nüsse", "Äpfel")


def test_files_whose_names_become_equal_are_both_kept(load):
    members = {unicodedata.normalize(form, f"Ä/{0}.png"): picture(shade) for form, shade in (("NFC", 90), ("NFD", 130))}
    data = load(members | {f"b/{n}.png": picture(200) for n in range(2)})
    assert (data.classes, len(data.train), len(data.test)) == (("b", "Ä"), 2, 2)


@pytest.mark.parametrize("name", ["Äpfel", "日本語", "Ñandú"])
def test_names_of_zips_without_a_character_set_are_utf8_where_they_can_be(tmp_path, name):
    members = {f"{folder}/{n}.png": picture(shade) for folder, shade in (("Name", 90), ("b", 200)) for n in (0, 1)}
    path = packed(
        tmp_path, {file.replace("Name", "N" * len(name.encode())): content for file, content in members.items()}
    )
    path.write_bytes(path.read_bytes().replace(b"N" * len(name.encode()), name.encode()))
    with zipfile.ZipFile(path) as file:
        assert name not in file.namelist()[0]  # zipfile alone reads another name
    assert load_dataset(f"zip:{path}", tmp_path / "data").classes == ("b", name)


@pytest.mark.parametrize("litter", ["Icon\r", "__MACOSX/._a", ".DS_Store", "a/desktop.ini", "a/Thumbs.db"])
def test_what_computers_leave_behind_counts_for_nothing(load, litter):
    data = load(two_classes() | {litter: b"x"})
    assert (data.classes, data.notes) == (("a", "b"), ())


@pytest.mark.parametrize("twins", [("Stop", "stop"), ("No entry", "noentry"), ("ÄPFEL", "äpfel")])
def test_classes_that_differ_in_capitals_or_spaces_are_said(load, twins):
    (note,) = load({f"{name}/{n}.png": picture(90 + n) for name in (*twins, "c") for n in (0, 1)}).notes
    assert all(repr(name) in note for name in twins)
    assert "count as 2 classes" in note


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_pictures_are_turned_before_they_are_measured(load, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = load(two_classes(kind.lower(), kind=kind, exif=exif))
    lying = orientation in (6, 8)
    assert data.shape == ((1, 10, 8) if lying else (1, 8, 10))
    bright = data.train.images[0, 0].float().mean(1 if lying else 0)
    assert (bright[0] > bright[-1]) == (orientation in (3, 8))
    assert data.notes == ()


def tiff(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "TIFF")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("dtype", "white"), [(np.float32, 1), (np.float32, 255), (np.float32, 65535), (np.uint16, 4095), (np.uint16, 65535)]
)
def test_deep_pictures_are_the_8_bit_ones_whatever_white_is_in_them(load, dtype, white):
    rng = np.random.default_rng(0)
    shades = rng.integers(0, 256, (2, 4, 8, 10))
    shades[0, 0, 0, 0] = 255
    members = {
        f"{name}/{n}.tif": tiff((shades[label, n] * (white / 255)).round(5).astype(dtype))
        for label, name in enumerate("ab")
        for n in range(4)
    }
    data = load(members)
    images = torch.cat([data.train.images, data.test.images])[:, 0].int()
    labels = torch.cat([data.train.labels, data.test.labels])
    for label in (0, 1):
        expected = torch.from_numpy(shades[label]).int()
        nearest = (images[labels == label][:, None] - expected[None]).abs().amax((2, 3)).amin(1)
        assert nearest.max() <= 1
    assert data.notes[0].startswith("In images of more than 8 bits")


@pytest.mark.parametrize("pixels", [[[-0.5, 1.0]], [[0.0, 7e4]], [[0.0, np.nan]], [[0.0, np.inf]]])
def test_pixels_of_an_unknown_range_are_refused(load, pixels):
    with pytest.raises(InputError, match="expected from 0 to 1, 255 or 65535"):
        load({f"{name}/{n}.tif": tiff(np.array(pixels, np.float32)) for name in "ab" for n in (0, 1)})


@pytest.mark.parametrize("shade", [0, 255, 120])
def test_a_set_of_one_even_colour_is_refused(load, shade):
    even = tiff(np.full((6, 6), shade, np.uint8))
    with pytest.raises(InputError, match="the same even colour"):
        load({f"{name}/{n}.tif": even for name in "ab" for n in range(3)})


def test_single_even_pictures_are_counted(load):
    assert load(two_classes() | {"a/even.png": picture(0)}).notes == ("1 of 11 images are one even colour.",)


@pytest.mark.parametrize("colours", [[0, 85, 170, 255], [10, 200], [0, 255]])
def test_a_palette_of_greys_is_grey(load, colours):
    pixels = np.arange(80).reshape(8, 10) % len(colours)
    image = Image.fromarray(pixels.astype(np.uint8)).convert("P")
    image.putpalette([value for colour in colours for value in (colour,) * 3])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    data = load({f"{name}/{n}.png": buffer.getvalue() for name in "ab" for n in (0, 1)})
    assert data.shape == (1, 8, 10)
    assert sorted(data.train.images.unique().tolist()) == colours


def test_a_palette_of_colours_is_in_colour(load):
    image = Image.new("P", (10, 8), 1)
    image.putpalette([0, 0, 0, 200, 10, 10])
    image.putpixel((0, 0), 0)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert load({f"{name}/{n}.png": buffer.getvalue() for name in "ab" for n in (0, 1)}).shape == (3, 8, 10)


def test_all_broken_files_are_named_at_once(load):
    broken = {"a/cut.png": picture()[:-30], "b/empty.jpg": b"", "b/text.gif": b"hello"}
    with pytest.raises(InputError) as caught:
        load(two_classes() | broken)
    assert all(f"'{name}'" in str(caught.value) for name in broken)


def test_more_broken_files_than_fit_a_sentence_are_counted(load):
    with pytest.raises(InputError, match="17 more files cannot be read either"):
        load(two_classes() | {f"a/{n}x.png": b"hello" for n in range(20)})


def test_other_proportions_are_said(load):
    members = two_classes() | {"a/wide.png": picture(size=(30, 8)), "a/small.png": picture(size=(5, 4))}
    assert load(members).notes == (
        "1 of 12 images have other proportions than most, and were stretched to 10×8 pixels.",
    )
