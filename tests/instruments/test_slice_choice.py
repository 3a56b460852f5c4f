"""Planes are chosen in words that a link carries, and spanned by the images that those words mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.attacks.triggers import make_preset
from core.errors import InputError
from core.instruments.slices.choice import PlaneChoice, nearest_of_class, random_directions, spanning_images
from core.instruments.slices.refine import slice_plane

NUMBERS = st.integers(0, 10**9 - 1)


@pytest.fixture(scope="module")
def corner():
    return make_preset("white-corner", (1, 8, 8))


@given(
    st.one_of(
        st.builds(lambda label: PlaneChoice("class", label=label), NUMBERS),
        st.builds(lambda kind, seed: PlaneChoice(kind, seed=seed), st.sampled_from(["random", "randoms"]), NUMBERS),
        st.builds(lambda first, second: PlaneChoice("images", others=(first, second)), NUMBERS, NUMBERS),
    )
)
def test_a_link_brings_the_choice_back(choice):
    assert PlaneChoice.from_link(choice.to_link()) == choice


@pytest.mark.parametrize(
    "text", ["", "class", "class.", "class.x", "class.-1", "class.1.2", "images.3", "circle.1", "class.²", "random.1e3"]
)
def test_a_link_that_says_no_plane_is_refused_in_one_sentence(text):
    with pytest.raises(InputError, match="names no plane"):
        PlaneChoice.from_link(text)


def test_towards_a_class_goes_through_its_nearest_image(digits, corner):
    spanned = spanning_images(PlaneChoice("class", label=3), digits, 7, corner)
    clean = digits.test.images[7].float() / 255
    assert torch.equal(spanned.origin, clean)
    assert torch.equal(spanned.toward, corner.apply(clean[None])[0])
    distances = ((digits.test.images.float() / 255 - clean) ** 2).sum((1, 2, 3))
    distances[digits.test.labels != 3] = torch.inf
    distances[7] = torch.inf
    assert torch.equal(spanned.across, digits.test.images[int(distances.argmin())].float() / 255)
    assert spanned.point_names == {"origin": "clean", "toward": "with trigger", "across": "a 3"}


def test_an_image_is_not_its_own_neighbour(digits):
    image = 11
    label = int(digits.test.labels[image])
    nearest = nearest_of_class(digits, image, label)
    assert nearest != image
    assert digits.test.labels[nearest] == label


def test_random_directions_are_gaussian_seeded_and_of_the_asked_length():
    directions = random_directions((3, 16, 16), 400, 2.5, seed=4)
    assert directions.flatten(1).norm(dim=1) == pytest.approx(np.full(400, 2.5), rel=1e-5)
    assert torch.equal(directions, random_directions((3, 16, 16), 400, 2.5, seed=4))
    assert not torch.equal(directions[0], random_directions((3, 16, 16), 1, 2.5, seed=5)[0])
    parts = (directions * 768**0.5 / 2.5).numpy()  # each pixel standard normal, but for the common length
    assert abs(parts.mean()) < 0.01
    assert abs((parts**4).mean() - 3) < 0.05  # the fourth moment of a normal variable
    cosines = (directions[:-1] * directions[1:]).sum((1, 2, 3)) / 2.5**2
    assert cosines.std() == pytest.approx(768**-0.5, rel=0.15)


@pytest.mark.parametrize("kind", ["random", "randoms"])
def test_random_planes_are_as_wide_as_the_triggers_step(digits, corner, kind):
    spanned = spanning_images(PlaneChoice(kind, seed=2), digits, 7, corner)
    triggered = corner.apply(spanned.origin[None])[0]
    length = (triggered - spanned.origin).norm().item()
    for end in (spanned.toward, spanned.across):
        assert (end - spanned.origin).norm().item() == pytest.approx(length, rel=1e-5)
    assert torch.equal(spanned.toward, triggered) == (kind == "random")
    other = spanning_images(PlaneChoice(kind, seed=3), digits, 7, corner)
    assert not torch.equal(spanned.across, other.across)
    plane = slice_plane(lambda images: images.flatten(1)[:, :2], spanned.origin, spanned.toward, spanned.across, 9)
    assert torch.allclose(plane.image(*plane.points["across"]), spanned.across, atol=1e-5)


def test_three_test_images_span_their_plane(digits, corner):
    spanned = spanning_images(PlaneChoice("images", others=(4, 9)), digits, 7, corner)
    for image, number in ((spanned.origin, 7), (spanned.toward, 4), (spanned.across, 9)):
        assert torch.equal(image, digits.test.images[number].float() / 255)
    assert f"{digits.classes[int(digits.test.labels[4])]} (no. 4)" == spanned.point_names["toward"]


def test_the_same_image_twice_spans_no_plane(digits, corner):
    spanned = spanning_images(PlaneChoice("images", others=(4, 4)), digits, 7, corner)
    with pytest.raises(InputError, match="one line"):
        slice_plane(lambda images: images.flatten(1), spanned.origin, spanned.toward, spanned.across, 9)


@pytest.mark.parametrize(
    ("choice", "image", "match"),
    [
        (PlaneChoice("class", label=10), 7, "no class 10"),
        (PlaneChoice("images", others=(0, 10**6)), 7, "no test image 1000000"),
        (PlaneChoice("random"), -1, "no test image -1"),
    ],
)
def test_what_is_not_there_is_refused(digits, corner, choice, image, match):
    with pytest.raises(InputError, match=match):
        spanning_images(choice, digits, image, corner)


def test_a_trigger_that_changes_nothing_has_no_direction(digits, corner):
    test = replace(digits.test, images=corner.apply(digits.test.images))
    with pytest.raises(InputError, match="changes nothing"):
        spanning_images(PlaneChoice("random"), replace(digits, test=test), 7, corner)
