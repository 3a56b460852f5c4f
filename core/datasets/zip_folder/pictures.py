"""From the bytes of image files to one uint8 array, with Pillow.

Every picture is first brought to one form (upright, its palette resolved, its depth known), then counted and compared.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from core.datasets.zip_folder.files import ImageFiles
from core.errors import InputError

LARGEST_PIXELS = 50_000_000
SIDE_KEPT = 128
SIDE_REDUCED = 64
_MEMORY_KEPT = 2 * 2**30
_CHUNK = 200
_NAMED_IN_FULL = 3
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_DEEP_MODES = frozenset(("I", "I;16", "I;16B", "I;16L", "I;16N", "F"))
_GREY_MODES = _DEEP_MODES | frozenset(("1", "L", "LA", "La"))
# What white is in deeper pictures: the least of these that no pixel of the whole set exceeds.
_WHITE_OF_FLOATS, _WHITE_OF_INTEGERS = (1.0, 255.0, 65535.0), (255, 4095, 65535)
_EXIF_ORIENTATION, _LYING_DOWN = 0x0112, (5, 6, 7, 8)


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
    white
        The value of white in pictures of more than 8 bits.
    """

    mode: str
    size: tuple[int, int]
    heavy: bool
    white: float


class Pictures(NamedTuple):
    """Decoded images, uint8 [N, C, H, W], and sentences about what was done to them."""

    images: np.ndarray
    notes: list[str]


@dataclass
class _Seen:
    """What the headers of all images say, and the range of those with more than 8 bits."""

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    grey: bool = True
    low: float = 0.0
    high: float = 0.0
    floats: bool = False

    def add(self, image: Image.Image) -> None:
        """Take one more picture into account; deep ones are decoded, since their header does not tell the range."""
        self.sizes[_upright_size(image)] += 1
        self.grey &= _is_grey(image)
        if image.mode in _DEEP_MODES:
            pixels = np.asarray(image)
            is_finite = bool(np.isfinite(pixels).all())
            self.low = min(self.low, float(pixels.min()) if is_finite else -np.inf)
            self.high = max(self.high, float(pixels.max()) if is_finite else np.inf)
            self.floats |= image.mode == "F"


class _NotAlikeError(Exception):
    """An image differs from the first in size or in being grey."""


def read_pictures(archive: ImageFiles, names: Sequence[str], progress: Callable[[float], None]) -> Pictures:
    """Decode images and bring them to one size, C 1 where all are grey, else 3.

    Images that share one size of at most 128x128 are kept as they are, as long as they fit 2 GB. All others are
    stretched to the most common size, reduced, where it is larger, until its longer side has 64 pixels. Photographs
    are turned upright first. In pictures of more than 8 bits white is 1, 255 or 65535 (255, 4095 or 65535 where they
    hold integers): the least of these that no pixel of the set exceeds.

    Raises
    ------
    InputError
        Files are no readable images, or have more than 50 megapixels, all of them named at once; or all images are one
        and the same even colour.
    """
    images = _decode_alike(archive, names, progress)
    if images is not None:
        return _checked(images, archive, [])
    seen = _look_through(archive, names, lambda share: progress(0.3 * share))
    plan = _plan(seen, archive)
    images = _decode(archive, names, plan, lambda share: progress(0.3 + 0.7 * share))
    return _checked(images, archive, [*_about_sizes(seen, plan), *_about_depth(seen, plan)])


def _decode_alike(archive: ImageFiles, names: Sequence[str], progress: Callable[[float], None]) -> np.ndarray | None:
    """Decode images that are all like the first and stay as they are; None as soon as one is not.

    Most archives hold images of one kind: then nobody needs to look at all the headers first.
    """
    try:
        with _opened(archive, names[0]) as first:
            if first.mode in _DEEP_MODES:
                return None
            likely = _plan(_Seen(Counter({_upright_size(first): len(names)}), _is_grey(first)), archive)
            if likely.size != _upright_size(first):
                return None
        return _decode(archive, names, likely, progress, alike=True)
    except (_NotAlikeError, InputError):
        return None


def _checked(images: np.ndarray, archive: ImageFiles, notes: list[str]) -> Pictures:
    """Refuse a set without any difference between pixels; say which of its images are one even colour."""
    flat = images.reshape(*images.shape[:2], -1)
    even = (flat.min(2) == flat.max(2)).all(1)
    if even.all() and (flat[:, :, 0] == flat[0, :, 0]).all():
        raise InputError(
            f"All {len(images)} images in {archive.path.name} are the same even colour ({_colour(flat[0, :, 0])}), so "
            "there is nothing to learn from them: check how they were saved."
        )
    if even.any():
        notes = [*notes, f"{even.sum()} of {len(images)} images are one even colour."]
    return Pictures(images, notes)


def _colour(pixel: np.ndarray) -> str:
    names = {0: "black", 255: "white"}
    return names.get(int(pixel[0]), "grey") if (pixel == pixel[0]).all() else f"RGB {', '.join(map(str, pixel))}"


def _about_sizes(seen: _Seen, plan: Plan) -> list[str]:
    width, height = plan.size
    stretched = [size for size in seen.sizes if abs(size[0] * height / (size[1] * width) - 1) > 0.1]
    if not stretched:
        return []
    return [
        f"{sum(seen.sizes[size] for size in stretched)} of {seen.sizes.total()} images have other proportions than "
        f"most, and were stretched to {width}×{height} pixels."
    ]


def _about_depth(seen: _Seen, plan: Plan) -> list[str]:
    if seen.high == 0:
        return []
    return [f"In images of more than 8 bits white is taken for {plan.white:g}; their largest value is {seen.high:g}."]


def _look_through(archive: ImageFiles, names: Sequence[str], progress: Callable[[float], None]) -> _Seen:
    """Look at the headers of all images; what cannot be read is left to be named when all are decoded."""
    seen, broken = _Seen(), []
    for position, name in enumerate(names):
        if position % _CHUNK == 0:
            progress(position / len(names))
        try:
            with _opened(archive, name) as image:
                seen.add(image)
        except InputError as error:
            broken.append(error)
    if not seen.sizes:
        _complain(broken)
    return seen


def _complain(broken: Sequence[InputError]) -> None:
    """Raise what is wrong with files, the first few of them in full."""
    if not broken:
        return
    more = len(broken) - _NAMED_IN_FULL
    sentences = [str(error) for error in broken[:_NAMED_IN_FULL]]
    raise InputError(" ".join(sentences + ([f"{more} more files cannot be read either."] if more > 0 else [])))


def _plan(seen: _Seen, archive: ImageFiles) -> Plan:
    mode = "L" if seen.grey else "RGB"
    # On a tie the smaller size wins, so that the order of the files doesn't matter.
    width, height = min(seen.sizes, key=lambda size: (-seen.sizes[size], size))
    memory = seen.sizes.total() * width * height * len(mode)
    kept = len(seen.sizes) == 1 and max(width, height) <= SIDE_KEPT and memory <= _MEMORY_KEPT
    scale = 1.0 if kept else min(1.0, SIDE_REDUCED / max(width, height))
    mean_pixels = sum(size[0] * size[1] * count for size, count in seen.sizes.items()) / seen.sizes.total()
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Plan(mode, size, mean_pixels > SIDE_KEPT**2, _white(seen, archive))


def _white(seen: _Seen, archive: ImageFiles) -> float:
    """Return what white is in the pictures of more than 8 bits: one value for the set, so that all stay comparable."""
    whites = _WHITE_OF_FLOATS if seen.floats else _WHITE_OF_INTEGERS
    white = next((white for white in whites if seen.high <= white), None)
    if white is None or seen.low < 0:
        raise InputError(
            f"Pixels in {archive.path.name} range from {seen.low:g} to {seen.high:g}; they are expected from 0 to 1, "
            "255 or 65535: scale them, or save 8-bit images."
        )
    return white


def _decode(
    archive: ImageFiles, names: Sequence[str], plan: Plan, progress: Callable[[float], None], *, alike: bool = False
) -> np.ndarray:
    """Decode as planned; with `alike` only as long as every image is what the plan makes of it."""
    width, height = plan.size
    images = np.empty((len(names), len(plan.mode), height, width), np.uint8)
    broken: list[InputError] = []

    def decode_chunk(start: int) -> None:
        for position in range(start, min(start + _CHUNK, len(names))):
            try:
                with _opened(archive, names[position]) as image:
                    if alike and not _is_as_planned(image, plan):
                        raise _NotAlikeError
                    pixels = _as_planned(image, plan).reshape(height, width, len(plan.mode))
                    images[position] = pixels.transpose(2, 0, 1)
            except InputError as error:
                broken.append(error)

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
    _complain(sorted(broken, key=str))
    return images


def _is_as_planned(image: Image.Image, plan: Plan) -> bool:
    return _upright_size(image) == plan.size and _is_grey(image) == (plan.mode == "L") and image.mode not in _DEEP_MODES


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height as a viewer shows the picture, which its camera may have held sideways."""
    width, height = image.size
    # Pillow has turned TIFFs already, and asking a PNG that says nothing of it up front would decode it.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return width, height
    return (height, width) if image.getexif().get(_EXIF_ORIENTATION) in _LYING_DOWN else (width, height)


def _is_grey(image: Image.Image) -> bool:
    """Say whether a picture has no colour by its mode, or by its palette."""
    if image.mode != "P" or image.palette is None:
        return image.mode in _GREY_MODES
    colours = np.frombuffer(bytes(image.palette.palette), np.uint8)
    colours = colours[: len(colours) // 3 * 3].reshape(-1, 3) if image.palette.mode == "RGB" else None
    return colours is not None and bool((colours == colours[:, :1]).all())


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
    if _upright_size(image) != plan.size:
        longer = max(plan.size)
        image.draft(plan.mode, (longer, longer))  # lets a JPEG decode at a fraction of its size
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode in _DEEP_MODES:
        image = Image.fromarray(np.rint(np.asarray(image, np.float64) * (255 / plan.white)).astype(np.uint8))
    transparent = image.has_transparency_data
    mode = "RGBA" if transparent else plan.mode
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != plan.size:
        image = image.resize(plan.size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    if transparent:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert(plan.mode)
    return np.asarray(image)
