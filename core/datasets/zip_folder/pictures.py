"""From the bytes of image files to one uint8 array, with Pillow."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import InputError

LARGEST_PIXELS = 50_000_000
SIDE_KEPT = 128
SIDE_REDUCED = 64
_MEMORY_KEPT = 2 * 2**30
_CHUNK = 200
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_GREY_MODES = frozenset(("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F"))


class ImageFiles(Protocol):
    """Where image files are read from by name: a ZIP, or a folder."""

    path: Path

    def read(self, name: str) -> bytes:
        """Return the content of one file."""
        ...


class Plan(NamedTuple):
    """What all images become.

    Attributes
    ----------
    mode
        "L" where every image is grey, else "RGB".
    size
        Width and height.
    heavy
        Whether the files are so large that decoding them outweighs handing them to threads.
    """

    mode: str
    size: tuple[int, int]
    heavy: bool


class _NotAlikeError(Exception):
    """An image differs from the first in size or in being grey."""


def read_pictures(archive: ImageFiles, names: Sequence[str], progress: Callable[[float], None]) -> np.ndarray:
    """Decode images and bring them to one size: uint8 [N, C, H, W], C 1 where all are grey, else 3.

    Images that share one size of at most 128x128 are kept as they are, as long as they fit 2 GB. All others are
    stretched to the most common size, reduced, where it is larger, until its longer side has 64 pixels.

    Raises
    ------
    InputError
        If a file is no readable image, or one of more than 50 megapixels.
    """
    with _opened(archive, names[0]) as first:
        likely = _plan(Counter({first.size: len(names)}), {first.mode})
        kept = likely.size == first.size
    if kept:
        # Most archives hold images of one kind: then nobody needs to look at all the headers first.
        with suppress(_NotAlikeError):
            return _decode(archive, names, likely, progress, alike=True)
    plan = _look_through(archive, names, lambda share: progress(0.3 * share))
    return _decode(archive, names, plan, lambda share: progress(0.3 + 0.7 * share))


def _look_through(archive: ImageFiles, names: Sequence[str], progress: Callable[[float], None]) -> Plan:
    """Plan by the headers of all images."""
    sizes, modes = Counter(), set()
    for position, name in enumerate(names):
        if position % _CHUNK == 0:
            progress(position / len(names))
        with _opened(archive, name) as image:
            sizes[image.size] += 1
            modes.add(image.mode)
    return _plan(sizes, modes)


def _plan(sizes: Counter[tuple[int, int]], modes: set[str]) -> Plan:
    mode = "L" if modes <= _GREY_MODES else "RGB"
    # On a tie the smaller size wins, so that the order of the files doesn't matter.
    width, height = min(sizes, key=lambda size: (-sizes[size], size))
    memory = sizes.total() * width * height * len(mode)
    kept = len(sizes) == 1 and max(width, height) <= SIDE_KEPT and memory <= _MEMORY_KEPT
    scale = 1.0 if kept else min(1.0, SIDE_REDUCED / max(width, height))
    mean_pixels = sum(size[0] * size[1] * count for size, count in sizes.items()) / sizes.total()
    return Plan(mode, (max(1, round(width * scale)), max(1, round(height * scale))), mean_pixels > SIDE_KEPT**2)


def _decode(
    archive: ImageFiles, names: Sequence[str], plan: Plan, progress: Callable[[float], None], *, alike: bool = False
) -> np.ndarray:
    """Decode as planned; with `alike` only as long as every image is what the plan makes of it."""
    width, height = plan.size
    images = np.empty((len(names), len(plan.mode), height, width), np.uint8)

    def decode_chunk(start: int) -> None:
        for position in range(start, min(start + _CHUNK, len(names))):
            with _opened(archive, names[position]) as image:
                if alike and (image.size != plan.size or (image.mode in _GREY_MODES) != (plan.mode == "L")):
                    raise _NotAlikeError
                pixels = _as_planned(image, plan).reshape(height, width, len(plan.mode))
                images[position] = pixels.transpose(2, 0, 1)

    starts = range(0, len(names), _CHUNK)
    # Small images are decoded faster than threads can take turns at the interpreter; large ones fill the memory.
    workers = min(4, os.cpu_count() or 1) if plan.heavy else 1
    with ThreadPoolExecutor(workers) as pool:
        try:
            for start, _ in zip(starts, pool.map(decode_chunk, starts), strict=True):
                progress(start / len(names))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return images


@contextmanager
def _opened(archive: ImageFiles, name: str) -> Iterator[Image.Image]:
    """An image whose header has been read and found harmless; whatever its decoder raises becomes an InputError."""
    content = archive.read(name)
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            _check_pixels(image.size, name, archive)
            yield image
    except (InputError, _NotAlikeError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(name, archive) from error
    except Exception as error:  # decoders raise whatever they like on broken files
        reason = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        raise InputError(
            f"'{name}' in {archive.path.name} can't be read as an image{reason}: replace or remove it."
        ) from error


def _check_pixels(size: tuple[int, int], name: str, archive: ImageFiles) -> None:
    if size[0] * size[1] > LARGEST_PIXELS:
        raise _too_large(name, archive)


def _too_large(name: str, archive: ImageFiles) -> InputError:
    return InputError(
        f"'{name}' in {archive.path.name} has more than {LARGEST_PIXELS // 1_000_000} megapixels: reduce it; images "
        f"are brought to {SIDE_REDUCED} pixels anyway."
    )


def _as_planned(image: Image.Image, plan: Plan) -> np.ndarray:
    if image.size != plan.size:
        image.draft(plan.mode, plan.size)  # lets a JPEG decode at a fraction of its size
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    transparent = image.has_transparency_data
    mode = "RGBA" if transparent else plan.mode
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != plan.size:
        image = image.resize(plan.size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    if transparent:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert(plan.mode)
    return np.asarray(image)
