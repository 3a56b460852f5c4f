"""The class colours stay apart for people with any of the three kinds of colour blindness."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from core.figures.palette import CLASSES, CLEAN, TRIGGERED, rgb

# Complete colour blindness on linear RGB: Machado, Oliveira and Fernandes, "A physiologically-based model for
# simulation of color vision deficiency", IEEE TVCG 2009, severity 1.
SIMULATED = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour: str, seen_by: str) -> np.ndarray:
    """Return a colour in CIELAB (D65) as such a person sees it."""
    encoded = np.array(rgb(colour)) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(SIMULATED[seen_by]) @ linear, 0, 1)
    ratio = XYZ @ seen / XYZ.sum(axis=1)
    x, y, z = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def nearest(colours: tuple[str, ...], seen_by: str) -> float:
    """Return the smallest distance between two of the colours; about 2.3 can just be told apart side by side."""
    seen = [lab(colour, seen_by) for colour in colours]
    return min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2))


def test_known_colours_have_known_coordinates():
    assert lab("#ffffff", "none") == pytest.approx([100, 0, 0], abs=0.02)
    assert lab("#ff0000", "none") == pytest.approx([53.24, 80.09, 67.20], abs=0.05)  # as published for sRGB's red
    assert np.linalg.norm(lab("#808080", "deuteranopia") - lab("#808080", "none")) < 0.1  # greys stay what they are


@pytest.mark.parametrize("seen_by", SIMULATED)
def test_any_two_class_colours_can_be_told_apart(seen_by):
    assert nearest(CLASSES, seen_by) >= 15


@pytest.mark.parametrize("seen_by", SIMULATED)
def test_clean_and_triggered_are_far_apart(seen_by):
    assert nearest((CLEAN, TRIGGERED), seen_by) >= 80
