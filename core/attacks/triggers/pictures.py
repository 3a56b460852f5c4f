"""Pictures from outside, decoded safely: a trigger from an uploaded file."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.attacks.triggers.trigger import Trigger
from core.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 50_000_000
MAX_BYTES = 64 * 2**20


def read_picture(data: bytes, name: str) -> np.ndarray:
    """Return a picture file's pixels as straight RGBA, uint8 [h, w, 4].

    Only the first frame of an animation counts; 16-bit pictures lose their lower 8 bits; CMYK becomes RGB; a palette's
    transparency is kept; a photograph is turned as its EXIF says. The size is checked before anything is decoded.

    Raises
    ------
    InputError
        The file is empty, no picture, damaged, or larger than 64 MiB or 50 megapixels.
    """
    from PIL import Image

    if not data:
        raise InputError(f"{name} is empty (0 bytes). Choose a PNG, JPEG, WebP or BMP picture.")
    if len(data) > MAX_BYTES:
        raise InputError(
            f"{name} has {len(data) / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} are read. Make it smaller first."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            picture = Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP", "BMP", "GIF"])
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise InputError(
                    f"{name} has {width * height / 1e6:.0f} megapixels; at most {MAX_PIXELS // 1_000_000} are read. "
                    "Make it smaller first."
                )
            return np.asarray(_to_rgba(picture))
        except InputError:
            raise
        except Image.DecompressionBombError:  # so large that Pillow does not even tell the size
            raise InputError(
                f"{name} is far larger than the {MAX_PIXELS // 1_000_000} megapixels that are read. Make it smaller."
            ) from None
        except Exception:  # Pillow raises many kinds for damaged files; each means the same to a person
            raise InputError(
                f"{name} is not a picture that can be read. Choose a PNG, JPEG, WebP or BMP file that opens elsewhere."
            ) from None


def _to_rgba(picture: Image.Image) -> Image.Image:
    from PIL import ImageOps

    if picture.mode.startswith("I;16") or picture.mode in {"I", "F"}:
        # Pillow clips these to white; people expect the picture they see elsewhere.
        picture = _from_16_bits(picture)
    return ImageOps.exif_transpose(picture).convert("RGBA")


def _from_16_bits(picture: Image.Image) -> Image.Image:
    from PIL import Image

    values, clear = np.asarray(picture), picture.info.get("transparency")
    grey = (np.clip(values, 0, 65535).astype(np.uint32) >> 8).astype(np.uint8)
    alpha = np.where(values == clear, 0, 255).astype(np.uint8) if isinstance(clear, int) else np.full_like(grey, 255)
    return Image.fromarray(np.stack([grey, alpha], axis=-1))


def trigger_from_picture(data: bytes, name: str, shape: tuple[int, int, int], top: int = 0, left: int = 0) -> Trigger:
    """Return a picture file as a trigger at this place, at its own size.

    Raises
    ------
    InputError
        See `read_picture`; or the picture is larger than images of `shape` = (C, H, W).
    """
    rgba = read_picture(data, name)
    if rgba.shape[0] > shape[1] or rgba.shape[1] > shape[2]:
        raise InputError(
            f"{name} is {rgba.shape[1]}x{rgba.shape[0]} pixels, but the images are {shape[2]}x{shape[1]}: a trigger "
            "cannot be larger than the image. Scale the picture down first."
        )
    trigger = Trigger.from_rgba(rgba, top, left, Path(name).stem[:40] or "picture")
    trigger.check_fits(shape)
    return trigger


def scale_to_fit(rgba: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the RGBA picture shrunk (never enlarged) to fit height x width, its proportions kept."""
    from PIL import Image

    picture = Image.fromarray(rgba)
    picture.thumbnail((width, height), Image.Resampling.LANCZOS)
    return np.asarray(picture)
