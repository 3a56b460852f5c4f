"""The decision slice as it changes from epoch to epoch: to play, and to scrub through, in the browser alone."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from streamlit.components.v2 import component

from core.errors import InputError

__all__ = ["MOST_FRAMES", "encode_film", "epoch_film"]

# A browser asks for no more; of a longer training every second, third, ... epoch is shown, and always the last.
MOST_FRAMES = 120

_HERE = Path(__file__).parent
_mount = component(
    "epoch_film",
    html=(_HERE / "epoch_film.html").read_text(encoding="utf-8"),
    css=(_HERE / "epoch_film.css").read_text(encoding="utf-8"),
    js=(_HERE / "epoch_film.js").read_text(encoding="utf-8"),
)


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

    Call it again with more frames under the same key while the training goes on: whoever looks at the last frame goes
    on looking at the last one, whoever has gone back to an earlier one stays there.

    Parameters
    ----------
    frames
        int [R, R] an epoch: the class at each point of the plane, row 0 at the bottom.
    captions
        What to say under each frame, beside its number.
    classes
        The name of each label.
    colours
        "#rrggbb" a class, taken again from the start where there are more classes.
    points
        Name -> (x, y) in shares of the map from its lower left corner, in [0, 1]: the places to mark, in the order
        circle, diamond, square.
    key
        Names this film among the page's widgets.

    Raises
    ------
    InputError
        No frames, frames of several shapes, or not one caption a frame.
    """
    _mount(key=key, data=encode_film(frames, captions, classes, colours=colours, points=points))


def encode_film(
    frames: Sequence[np.ndarray],
    captions: Sequence[str],
    classes: Sequence[str],
    *,
    colours: Sequence[str],
    points: Mapping[str, tuple[float, float]],
) -> dict[str, Any]:
    """Return what the browser needs, ready for JSON; for the parameters see `epoch_film`.

    All frames travel as one zlib stream of a byte a point, since a frame differs little from the one before.
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
        "frames": base64.b64encode(zlib.compress(stack.astype(np.uint8).tobytes(), 6)).decode(),
        "captions": [captions[place] for place in shown],
        "classes": {str(label): classes[label] for label in present},
        "colours": {str(label): colours[label % len(colours)] for label in present},
        "points": [[name, float(x), float(y)] for name, (x, y) in points.items()],
    }
