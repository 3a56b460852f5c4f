"""The picture being drawn: what Python holds, what the browser is told, and which of its strokes still count."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping

import numpy as np

from core.errors import InputError
from dashboard.components.component import to_base64

# A picture of the largest size that the browser sends, uncompressed, as base64, with room to spare.
MOST_PASTED = 2_000_000


class Drawing:
    """A picture that a person draws in the browser and that Python may replace at any time.

    Keep one in `st.session_state`: the editor puts each stroke into it before the page's script runs again. The
    browser loads the pixels only when the revision is new to it, so a rerun never takes the pen out of a hand, and a
    stroke drawn on a picture that has been replaced since is dropped.

    Parameters
    ----------
    rgba
        uint8 [h, w, 4], straight alpha, copied.

    Attributes
    ----------
    rgba
        The picture as it is now, uint8 [h, w, 4], straight alpha, read only.
    revision
        Names the picture that strokes are drawn on: new after each `replace`, kept by strokes. It is unique beyond
        this process, so that a tab left open while the server restarts does not take another picture for its own.
    """

    rgba: np.ndarray
    revision: str

    def __init__(self, rgba: np.ndarray) -> None:
        self.replace(rgba)

    def replace(self, rgba: np.ndarray) -> None:
        """Put another picture in its place: a preset, an upload, the canvas of another data set.

        Call it once for each change, not on every rerun: it discards the stroke that may be under way.

        Raises
        ------
        InputError
            The array is not uint8 [h, w, 4] with at least one pixel.
        """
        check_picture(rgba, channels=4, what="drawing")
        self.rgba = rgba.copy()
        self.rgba.flags.writeable = False
        self.revision = uuid.uuid4().hex

    def take(self, stroke: object) -> bool:
        """Take what the browser sent as the picture and return True, or return False where it is stale.

        Raises
        ------
        InputError
            The stroke cannot be read; the picture stays as it was.
        """
        rgba = read_stroke(stroke, revision=self.revision, size=self.rgba.shape[:2])
        if rgba is None:
            return False
        self.rgba = rgba
        return True

    def message(
        self,
        background: np.ndarray | None,
        *,
        grey: bool,
        samples: tuple[int, int] | None = None,
        paste: bool = False,
    ) -> dict[str, object]:
        """Return what the browser needs to show it, ready for JSON.

        Parameters
        ----------
        background
            uint8 [h, w, 3], a sample image to draw over; None for none.
        grey
            Whether the images have one channel, so that only greys are offered.
        samples
            Which sample this is, from 0, and how many there are; None where there is no other one.
        paste
            Whether a pasted picture is wanted.

        Raises
        ------
        InputError
            The background is not uint8 [h, w, 3] of the drawing's size.
        """
        height, width = self.rgba.shape[:2]
        if background is not None:
            check_picture(background, channels=3, what="background")
            if background.shape[:2] != (height, width):
                raise InputError(
                    f"The background is {background.shape[1]}x{background.shape[0]}, but the drawing is "
                    f"{width}x{height}: give an image of the drawing's size."
                )
        return {
            "width": width,
            "height": height,
            "revision": self.revision,
            "pixels": to_base64(self.rgba),
            "background": None if background is None else to_base64(background),
            "grey": grey,
            "samples": None if samples is None else list(samples),
            "paste": paste,
        }


def read_stroke(stroke: object, *, revision: str, size: tuple[int, ...]) -> np.ndarray | None:
    """Return the picture that the browser sent after a stroke.

    Parameters
    ----------
    stroke
        `{"revision": ..., "pixels": ...}`: the revision that was drawn on, and the whole picture as base64.
    revision
        The revision Python holds now.
    size
        Its height and width in pixels.

    Returns
    -------
    numpy.ndarray or None
        uint8 [h, w, 4], read only; None where the stroke was drawn on another revision, whatever its pixels.

    Raises
    ------
    InputError
        The stroke has another form, is not base64, or has not exactly h * w * 4 bytes.
    """
    if not isinstance(stroke, Mapping):
        raise InputError(f"A stroke is an object with revision and pixels; this is a {type(stroke).__name__}.")
    if stroke.get("revision") != revision:
        return None
    pixels = stroke.get("pixels")
    if not isinstance(pixels, str):
        raise InputError("The stroke has no pixels. Reload the page and draw it again.")
    try:
        data = base64.b64decode(pixels, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("The stroke's pixels are not base64. Reload the page and draw it again.") from None
    height, width = size
    if len(data) != height * width * 4:
        raise InputError(
            f"A {width}x{height} drawing has {height * width * 4} bytes, but the stroke has {len(data)}. "
            "Reload the page and draw it again."
        )
    return np.frombuffer(data, np.uint8).reshape(height, width, 4)


def read_paste(text: object) -> bytes:
    """Return the picture file, a PNG, that the browser made of a pasted picture; InputError if it is none."""
    if not isinstance(text, str) or len(text) > MOST_PASTED:
        raise InputError("The pasted picture is too large or not a picture. Save it as a file and upload the file.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("The pasted picture arrived incomplete. Paste it again.") from None


def check_picture(pixels: np.ndarray, *, channels: int, what: str) -> None:
    """Raise InputError unless this is uint8 [h, w, channels] with at least one pixel."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != channels or pixels.size == 0:
        raise InputError(
            f"A {what} is a uint8 array [height, width, {channels}]; this one is {pixels.dtype} {list(pixels.shape)}. "
            "Convert it first."
        )
