"""What stands behind a sign: procedural skies, trees, walls, facades and roads at the size of the final image.

All pictures are float32 arrays [size, size, 3] in [0, 1]; everything random comes from the Generator passed in.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.random import Generator
from PIL import Image

Colour = tuple[float, float, float]

# From the zenith to the horizon: clear, hazy, overcast, evening.
_SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((0.29, 0.52, 0.83), (0.70, 0.83, 0.95)),
    ((0.55, 0.68, 0.84), (0.88, 0.91, 0.94)),
    ((0.62, 0.65, 0.69), (0.83, 0.84, 0.86)),
    ((0.45, 0.48, 0.66), (0.95, 0.78, 0.62)),
)
_LEAVES: tuple[tuple[Colour, Colour], ...] = (
    ((0.07, 0.13, 0.05), (0.42, 0.56, 0.24)),
    ((0.05, 0.11, 0.07), (0.27, 0.44, 0.27)),
    ((0.14, 0.10, 0.04), (0.66, 0.48, 0.20)),
)
_BRICKS: tuple[Colour, ...] = ((0.56, 0.27, 0.20), (0.66, 0.42, 0.30), (0.45, 0.30, 0.27), (0.70, 0.62, 0.50))
_PLASTERS: tuple[Colour, ...] = ((0.80, 0.75, 0.66), (0.72, 0.70, 0.68), (0.84, 0.72, 0.52), (0.62, 0.66, 0.68))


@functools.cache
def _spread(count: int, size: int) -> np.ndarray:
    """The matrix [size, count] that enlarges `count` values to `size` by bicubic interpolation."""
    return np.asarray(Image.fromarray(np.eye(count, dtype=np.float32)).resize((count, size), Image.Resampling.BICUBIC))


def noise(rng: Generator, size: int, cells: tuple[int, ...], stretch: int = 1) -> np.ndarray:
    """Fractal noise float32 [size, size] in [0, 1]: random grids of `cells` squares, ever finer and weaker.

    `stretch` > 1 makes the features that much wider than high.
    """
    total = np.zeros((size, size), np.float32)
    for octave, count in enumerate(cells):
        columns = max(2, count // stretch)
        grid = rng.random((count, columns), np.float32)
        total += _spread(count, size) @ grid @ _spread(columns, size).T * 0.6**octave
    low, high = total.min(), total.max()
    return (total - low) / max(high - low, 1e-6)


def mix(first: np.ndarray | Colour, second: np.ndarray | Colour, share: np.ndarray) -> np.ndarray:
    """Blend two pictures or colours; `share` [size, size] of the second."""
    share = share[..., None]
    return np.asarray(first, np.float32) * (1 - share) + np.asarray(second, np.float32) * share


def _one_of(rng: Generator, choices: tuple) -> tuple:
    return choices[int(rng.integers(len(choices)))]


def _rows(size: int) -> np.ndarray:
    """Height of each pixel: 0 in the top row, 1 in the bottom row; [size, size]."""
    return np.repeat(np.linspace(0, 1, size, dtype=np.float32)[:, None], size, axis=1)


def _sky(rng: Generator, size: int) -> np.ndarray:
    zenith, horizon = _one_of(rng, _SKIES)
    sky = mix(zenith, horizon, _rows(size) ** rng.uniform(0.6, 1.4))
    clouds = np.clip((noise(rng, size, (6, 12, 24), stretch=2) - rng.uniform(0.45, 0.85)) * 3, 0, 0.9)
    return mix(sky, (0.96, 0.96, 0.97), clouds)


def _leaves(rng: Generator, size: int) -> np.ndarray:
    dark, light = _one_of(rng, _LEAVES)
    return mix(dark, light, noise(rng, size, (4, 9, 18, 32)) ** 1.5)


def _bricks(rng: Generator, size: int) -> np.ndarray:
    height, length = int(rng.integers(3, 6)), int(rng.integers(7, 12))
    row, column = np.mgrid[0:size, 0:size] + rng.integers(0, 12, (2, 1, 1))
    course = row // height
    column = column + (course % 2) * (length // 2)
    shades = rng.normal(1, 0.09, (64, 64)).astype(np.float32)[course % 64, (column // length) % 64]
    mortar = ((row % height == 0) | (column % length == 0)).astype(np.float32) * 0.7
    wall = np.asarray(_one_of(rng, _BRICKS), np.float32) * shades[..., None]
    return mix(wall, (0.68, 0.65, 0.61), mortar)


def _facade(rng: Generator, size: int) -> np.ndarray:
    width, height = int(rng.integers(8, 13)), int(rng.integers(9, 15))
    row, column = np.mgrid[0:size, 0:size] + rng.integers(0, 12, (2, 1, 1))
    window = (row % height > 2) & (row % height < height - 2) & (column % width > 2) & (column % width < width - 1)
    glass = np.asarray((0.20, 0.24, 0.30), np.float32) * rng.uniform(0.6, 1.8)
    wall = np.asarray(_one_of(rng, _PLASTERS), np.float32) * (0.9 + 0.1 * noise(rng, size, (3, 8)))[..., None]
    return mix(wall, glass, window.astype(np.float32))


def _asphalt(rng: Generator, size: int) -> np.ndarray:
    grey = rng.uniform(0.25, 0.5) + 0.16 * (noise(rng, size, (3, 16, 32)) - 0.5)
    road = grey[..., None] * np.asarray((0.98, 1.0, 1.03), np.float32)
    across = np.arange(size, dtype=np.float32)[None] - rng.uniform(-0.3, 1.3) * size
    lean = rng.uniform(-1.2, 1.2) * (np.arange(size, dtype=np.float32)[:, None] - size / 2)
    line = np.clip(1.6 - np.abs(across - lean), 0, 1) * rng.uniform(0.2, 0.9)
    return mix(road, (0.92, 0.92, 0.90), line)


def _below(rng: Generator, size: int, level: float, roughness: float) -> np.ndarray:
    """Coverage of everything under a skyline at height `level`; rough for trees, 0 for a straight edge."""
    line = level + roughness * (noise(rng, size, (3, 8, 16))[0] - 0.5)
    return np.clip((_rows(size) - line[None]) * size, 0, 1)


def _open_road(rng: Generator, size: int) -> np.ndarray:
    horizon = rng.uniform(0.45, 0.95)
    view = mix(_sky(rng, size), _leaves(rng, size), _below(rng, size, horizon - rng.uniform(0.05, 0.35), 0.35))
    return mix(view, _asphalt(rng, size), _below(rng, size, horizon, 0.02))


def _among_trees(rng: Generator, size: int) -> np.ndarray:
    gaps = np.clip((noise(rng, size, (3, 6, 14)) - rng.uniform(0.6, 1.0)) * 4, 0, 1)
    return mix(_leaves(rng, size), _sky(rng, size), gaps)


def _street(rng: Generator, size: int) -> np.ndarray:
    houses = mix(_facade(rng, size), _facade(rng, size), (np.arange(size) > rng.integers(size)) * np.ones((size, 1)))
    view = mix(_sky(rng, size), houses, _below(rng, size, rng.uniform(-0.4, 0.5), 0))
    return mix(view, _asphalt(rng, size), _below(rng, size, rng.uniform(0.7, 1.2), 0))


def _at_a_wall(rng: Generator, size: int) -> np.ndarray:
    return mix(_bricks(rng, size), _asphalt(rng, size), _below(rng, size, rng.uniform(0.7, 1.5), 0))


def background(rng: Generator, size: int) -> np.ndarray:
    """A random scene without a sign, as sharp as it comes."""
    views = (_open_road, _open_road, _among_trees, _street, _at_a_wall)
    return views[int(rng.integers(len(views)))](rng, size).astype(np.float32)
