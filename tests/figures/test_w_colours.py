"""The colours of W: equal steps look equally different, and brighter means rougher, to colour-blind eyes too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from core.figures.trigger_map import trigger_map
from core.figures.w_colours import to_lab, top_of_scale, w_colours

# What is left of linear red, green and blue to people without one of the three cones: Machado, Oliveira and Fernandes,
# IEEE TVCG 2009, severity 1.
BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def seen_by(kind: str, colours: np.ndarray) -> np.ndarray:
    linear = np.clip((colours / 255) ** 2.2 @ np.array(BLIND[kind]).T, 0, 1)
    return 255 * linear ** (1 / 2.2)


def test_equal_steps_look_equally_different():
    steps = np.linalg.norm(np.diff(to_lab(w_colours()[::15]), axis=0), axis=1)
    assert steps.std() < 0.06 * steps.mean()


@pytest.mark.parametrize("eyes", [None, *BLIND])
def test_rougher_is_always_brighter_whoever_looks(eyes):
    colours = w_colours()[::15].astype(float)
    lightness = to_lab(colours if eyes is None else seen_by(eyes, colours))[:, 0]
    assert (np.diff(lightness) > 1).all()
    assert lightness[0] < 15
    assert lightness[-1] > 90


def test_known_colours_have_their_known_lab():
    known = to_lab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0]]))
    assert np.allclose(known, [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.2]], atol=0.05)


@pytest.mark.parametrize(("largest", "top"), [(0, 0.1), (0.01, 0.1), (0.1, 0.1), (0.101, 0.12), (0.83, 0.84), (1, 1)])
def test_the_scale_ends_just_above_the_largest_w_and_never_magnifies_next_to_nothing(largest, top):
    assert top_of_scale(largest) == pytest.approx(top)


def test_a_triggers_map_of_w_uses_the_same_colours_and_scale():
    made_up: Any = SimpleNamespace(
        asr=np.full((2, 2), 0.1), w=np.full((2, 2), 0.17), rows=np.arange(2), columns=np.arange(2)
    )
    w, asr = (trigger_map(made_up, what, "row", "column").to_dict()["data"][0] for what in ("W", "ASR"))
    assert (w["zmin"], w["zmax"], asr["zmax"]) == (0, 0.18, 1)
    assert w["colorscale"][0][1] == "rgb({},{},{})".format(*w_colours()[0])
