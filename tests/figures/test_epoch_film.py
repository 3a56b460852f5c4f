"""The slice from epoch to epoch: the animated picture, and what the browser is sent."""

from __future__ import annotations

import base64
import io
import zlib

import numpy as np
import pytest
from PIL import Image

from core.datasets.dataset import to_unit
from core.errors import InputError
from core.figures.epoch_film import FRAME_MS, LAST_FRAME_MS, epoch_film, marks
from core.figures.palette import CLASSES, class_colour, rgb
from core.instruments.slices.refine import slice_plane
from dashboard.components.epoch_film import MOST_FRAMES, encode_film

CLASSES_NAMED = tuple(f"class {label}" for label in range(12))
# Not symmetric, so that a flip or a transposition shows; class 11 shares its colour with class 1.
FIRST = np.array([[0, 0, 2], [0, 3, 3], [11, 3, 9]])
FRAMES = [FIRST, FIRST[:, ::-1], FIRST.T]
CAPTIONS = ["Epoch 1", "Epoch 2", "Epoch 3"]


def test_each_frame_of_the_gif_shows_its_epoch_with_every_class_in_its_colour():
    film = Image.open(io.BytesIO(epoch_film(FRAMES, CAPTIONS, CLASSES_NAMED, {}, side=30)))
    assert (film.format, film.n_frames, film.info["loop"]) == ("GIF", 3, 0)
    durations = []
    for number, labels in enumerate(FRAMES):
        film.seek(number)
        durations.append(film.info["duration"])
        pixels = np.asarray(film.convert("RGB"))
        # Cells are 10 pixels wide behind a margin of 12; row 0 of a plane is the lowest.
        cells = pixels[12 + 5 : 12 + 30 : 10, 12 + 5 : 12 + 30 : 10]
        expected = [[rgb(class_colour(label)) for label in row] for row in labels[::-1]]
        np.testing.assert_array_equal(cells, expected)
    assert durations == [FRAME_MS, FRAME_MS, LAST_FRAME_MS]


def test_marks_lie_where_they_are_put():
    plain, marked = (
        np.asarray(Image.open(io.BytesIO(epoch_film([FIRST], ["x"], CLASSES_NAMED, points, side=90))).convert("RGB"))
        for points in ({}, {"clean": (1 / 6, 5 / 6)})
    )
    height = min(plain.shape[0], marked.shape[0])
    changed = np.argwhere((plain[:height] != marked[:height]).any(-1))
    changed = changed[changed[:, 0] < 12 + 90]  # below it the legend names the mark
    assert changed.size
    # The middle of the upper left of nine cells, in rows and columns behind the margin.
    assert np.abs(changed.mean(0) - (12 + 15, 12 + 15)).max() <= 1
    assert np.abs(changed - (12 + 15, 12 + 15)).max() <= 8


@pytest.mark.parametrize(
    ("frames", "captions"), [([], []), (FRAMES, CAPTIONS[:2]), ([FIRST, np.zeros((4, 4), int)], CAPTIONS[:2])]
)
def test_a_film_that_makes_no_sense_gives_a_sentence(frames, captions):
    with pytest.raises(InputError, match="frames of one shape"):
        epoch_film(frames, captions, CLASSES_NAMED, {})
    with pytest.raises(InputError, match="frames of one shape"):
        encode_film(frames, captions, CLASSES_NAMED, colours=CLASSES, points={})


def test_the_browser_gets_every_label_and_only_the_classes_that_occur():
    sent = encode_film(FRAMES, CAPTIONS, CLASSES_NAMED, colours=CLASSES, points={"clean": (0.25, 0.5)})
    labels = np.frombuffer(zlib.decompress(base64.b64decode(sent["frames"])), np.uint8).reshape(3, 3, 3)
    np.testing.assert_array_equal(labels, FRAMES)
    assert sent["classes"] == {str(label): f"class {label}" for label in (0, 2, 3, 9, 11)}
    assert sent["colours"]["11"] == CLASSES[1]
    assert (sent["captions"], sent["points"]) == (CAPTIONS, [["clean", 0.25, 0.5]])


def test_a_long_training_is_thinned_out_and_keeps_its_first_and_last_epoch():
    frames = [np.full((2, 2), number % 250) for number in range(1000)]
    sent = encode_film(
        frames, [str(number) for number in range(1000)], [str(n) for n in range(250)], colours=CLASSES, points={}
    )
    assert sent["count"] == len(sent["captions"]) == MOST_FRAMES
    assert (sent["captions"][0], sent["captions"][-1]) == ("0", "999")
    steps = np.diff([int(text) for text in sent["captions"]])
    assert set(steps) <= {8, 9}


def test_the_marks_of_a_run_are_those_of_its_plane(poisoned, data_root):
    data = poisoned.dataset(data_root)
    watched = poisoned.epochs[0].plane
    origin, across = to_unit(data.test.images[[watched.clean, watched.third]])
    toward = poisoned.trigger.apply(origin[None])[0]
    plane = slice_plane(poisoned.model(), origin, toward, across, resolution=65)
    found = marks(watched, poisoned.spec.attack, data, poisoned.spec.seed)
    assert list(found) == ["origin", "toward", "across"]
    for name, (x, y) in plane.points.items():
        # From shares back to distances on the full plane.
        assert found[name][0] * (plane.x[-1] - plane.x[0]) + plane.x[0] == pytest.approx(x, abs=1e-6)
        assert found[name][1] * (plane.y[-1] - plane.y[0]) + plane.y[0] == pytest.approx(y, abs=1e-6)
