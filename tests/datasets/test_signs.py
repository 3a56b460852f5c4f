"""The generator of traffic signs: what decides an image, what it looks like, and how it is kept."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
import pytest
import torch

from core.datasets import Dataset, describe, load_dataset, signs
from core.datasets.signs import photograph, plates

PER_CLASS = (6, 3)


def _generate() -> Dataset:
    return signs.generate(*PER_CLASS, lambda share, text: None)


@pytest.fixture(scope="module")
def few() -> Dataset:
    return _generate()


def test_same_seed_same_bits(few):
    again = _generate()
    assert torch.equal(few.train.images, again.train.images)
    assert torch.equal(few.test.images, again.test.images)


def test_an_image_depends_on_its_own_numbers_only(few):
    train_per_class, test_per_class = PER_CLASS
    for label, index in ((0, 0), (4, 2), (9, 1)):
        alone = torch.from_numpy(signs.sign_image(label, index))
        assert torch.equal(few.train.images[label * train_per_class + index], alone)
        alone = torch.from_numpy(signs.sign_image(label, index, test=True))
        assert torch.equal(few.test.images[label * test_per_class + index], alone)


def test_split_index_label_and_seed_all_matter():
    reference = signs.sign_image(3, 5)
    others = (
        signs.sign_image(3, 6),
        signs.sign_image(4, 5),
        signs.sign_image(3, 5, test=True),
        signs.sign_image(3, 5, seed=1),
    )
    # Noise alone makes a difference of a few levels; another photograph differs far more.
    assert all(np.abs(reference.astype(int) - other).mean() > 10 for other in others)


def test_shapes_types_and_labels(few):
    assert few.shape == (3, 32, 32) == describe("signs").shape
    assert few.classes == describe("signs").classes == signs.CLASSES
    assert few.train.images.dtype == torch.uint8
    assert few.train.labels.dtype == torch.int64
    assert few.train.labels.bincount().tolist() == [PER_CLASS[0]] * 10
    assert few.test.labels.bincount().tolist() == [PER_CLASS[1]] * 10


def test_every_class_has_its_own_plate():
    faces = [np.asarray(plates.plate(sign).face, int) for sign in signs.CLASSES]
    differences = [np.abs(one - other).mean() for i, one in enumerate(faces) for other in faces[:i]]
    assert min(differences) > 2  # the two speed limits differ in one digit


@pytest.mark.parametrize(
    ("sign", "point", "hue"),
    [
        ("stop", (0.0, -0.6), 0.98),
        ("yield", (0.0, -0.7), 0.98),
        ("no entry", (0.0, 0.5), 0.98),
        ("speed limit 30", (0.8, 0.0), 0.98),
        ("priority road", (0.0, 0.0), 0.13),
        ("turn right", (0.0, -0.7), 0.59),
        ("roundabout", (0.0, 0.0), 0.59),
        ("pedestrian crossing", (-0.7, -0.7), 0.59),
        ("danger", (0.0, 0.75), 0.98),
    ],
)
def test_paint_is_where_the_regulations_put_it(sign, point, hue):
    column, row = (round((each / plates.REACH + 1) / 2 * plates.PLATE_SIZE) for each in point)
    pixel = plates.plate(sign).face.getpixel((column, row))
    found, saturation, _ = colorsys.rgb_to_hsv(*(value / 255 for value in pixel))
    assert saturation > 0.7
    assert abs(found - hue) < 0.03


def test_a_stop_sign_is_an_octagon():
    outline = np.asarray(plates.plate("stop").outline, float) / 255
    unit = plates.PLATE_SIZE / 2 / plates.REACH
    assert outline.sum() / unit**2 == pytest.approx(2 * np.sqrt(2), rel=0.01)  # area of a regular octagon of radius 1


def test_homography_takes_corners_to_corners():
    source = np.array([(3.0, 4.0), (60.0, 9.0), (55.0, 70.0), (8.0, 66.0)])
    target = np.array([(0.0, 0.0), (128.0, 0.0), (128.0, 128.0), (0.0, 128.0)])
    a, b, c, d, e, f, g, h = photograph._homography(source, target)
    x, y = source.T
    scale = g * x + h * y + 1
    assert np.allclose(np.stack([(a * x + b * y + c) / scale, (d * x + e * y + f) / scale], 1), target)


def test_signs_stay_in_the_picture():
    for index in range(200):
        corners = photograph._corners(np.random.default_rng(index))
        assert ((corners.mean(axis=0) > 8) & (corners.mean(axis=0) < 24)).all()
        inside = np.clip(corners, 0, 32)
        assert np.linalg.norm(corners - inside, axis=1).max() < 9


def test_cache_is_used_and_a_damaged_one_is_made_again(tmp_path, monkeypatch, few):
    made = []

    def generate(*counts: object) -> Dataset:
        made.append(counts)
        return few

    monkeypatch.setattr(signs, "generate", generate)
    first = load_dataset("signs", tmp_path)
    second = load_dataset("signs", tmp_path)
    assert len(made) == 1
    assert torch.equal(first.train.images, second.train.images)
    assert torch.equal(first.test.labels, second.test.labels)
    assert (second.name, second.classes, second.fingerprint) == (few.name, few.classes, few.fingerprint)

    (file,) = (tmp_path / "signs").iterdir()
    content = file.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    for damaged in (content[: len(content) // 2], b"", b"no npz", bytes(flipped)):
        file.write_bytes(damaged)
        made.clear()
        assert torch.equal(load_dataset("signs", tmp_path).train.images, few.train.images)
        assert len(made) == 1
        assert file.read_bytes() == content
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_data_folder_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch, few):
    monkeypatch.setattr(signs, "generate", lambda *counts: few)
    blocked = tmp_path / "a-file"
    blocked.write_text("not a folder")
    assert load_dataset("signs", Path(blocked)).train.images.shape == few.train.images.shape


def test_progress_rises_to_one():
    shares = []
    signs.generate(8, 2, lambda share, text: shares.append(share))
    assert shares[0] == 0
    assert shares[-1] == 1
    assert shares == sorted(shares)


@pytest.mark.soak
def test_a_small_network_is_good_but_not_perfect(tmp_path):
    from core.datasets import fingerprint
    from core.training.loop import train
    from core.training.spec import make_spec

    data = load_dataset("signs", tmp_path)
    spec = make_spec(dataset="signs", fingerprint=fingerprint("signs"), rate=0.0, epochs=10, seed=0)
    *_, finished = train(spec, data)
    with torch.no_grad():
        predicted = torch.cat([finished.model(images / 255).argmax(1) for images in data.test.images.split(100)])
    assert 0.97 <= (predicted == data.test.labels).float().mean() <= 0.995
