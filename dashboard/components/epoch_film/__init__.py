"""The decision slice as it changes from epoch to epoch, to play and to scrub through in the browser."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError
from dashboard.components.component import Component, to_base64

__all__ = ["MOST_FRAMES", "encode_film", "epoch_film"]

# More would only slow the browser; of a longer training about this many epochs are shown, the last always.
MOST_FRAMES = 120

_component = Component(Path(__file__).parent)


def epoch_film(
    frames: Sequence[np.ndarray],
    captions: Sequence[str],
    classes: Sequence[str],
    *,
    colours: Sequence[str],
    points: Mapping[str, tuple[float, float]],
    key: str,
) -> None:
    """Show the slices of a training's epochs, with a slider and a button to play them.

    Call it again with more frames under the same key as the training continues: a visitor who is at the last frame
    stays at the last one, a visitor who went back to an earlier one stays there.

    Parameters
    ----------
    frames
        One int [R, R] per epoch: the class at each point of the plane, row 0 at the bottom.
    captions
        A caption for each frame.
    classes
        The name of each label.
    colours
        "#rrggbb" per class; classes beyond their number reuse them.
    points
        Name -> (x, y) in [0, 1], as shares of the map from its lower left corner: the places to mark, in the order
        circle, diamond, square.
    key
        Names this film among the page's widgets.

    Raises
    ------
    InputError
        No frames, frames of different shapes, or not one caption per frame.
    """
    _component.mount(key, encode_film(frames, captions, classes, colours=colours, points=points))


def encode_film(
    frames: Sequence[np.ndarray],
    captions: Sequence[str],
    classes: Sequence[str],
    *,
    colours: Sequence[str],
    points: Mapping[str, tuple[float, float]],
) -> dict[str, Any]:
    """Return what the browser needs, ready for JSON; for the parameters see `epoch_film`.

    All frames travel as one zlib stream, one byte per point, since a frame differs little from the one before.
    """
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1 or len(frames) != len(captions):
        raise InputError(
            f"A film needs frames of one shape and a caption for each; got {len(frames)} frames of {len(shapes)} "
            f"shapes and {len(captions)} captions."
        )
    shown = sorted({round(place) for place in np.linspace(0, len(frames) - 1, min(len(frames), MOST_FRAMES))})
    stack = np.stack([frames[place] for place in shown])
    present = [int(label) for label in np.unique(stack)]
    return {
        "resolution": int(stack.shape[1]),
        "count": len(shown),
        "frames": to_base64(np.frombuffer(zlib.compress(stack.astype(np.uint8).tobytes(), 6), np.uint8)),
        "captions": [captions[place] for place in shown],
        "classes": {str(label): classes[label] for label in present},
        "colours": {str(label): colours[label % len(colours)] for label in present},
        "points": [[name, float(x), float(y)] for name, (x, y) in points.items()],
    }
