"""The colours of W over a plane: dark blue where the model is calm, bright where it is rough.

Equal steps of W look equally different (CIE 1976 L*a*b*), each is lighter than the one before, and the way from blue
to yellow keeps its order for colour-blind eyes.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from core.figures.palette import rgb

# Deep water, water, shallows, surf, sand and foam.
_ANCHORS = ("#071a3d", "#0f4c8a", "#2b8fb8", "#8cc9a8", "#f2dc7c", "#fff6d6")
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])


@cache
def w_colours() -> np.ndarray:
    """Return the colours from the lowest W on a scale to the highest, uint8 [256, 3]."""
    way = to_lab(np.array([rgb(colour) for colour in _ANCHORS]))
    for _ in range(4):
        way = _rounded(way)
    lengths = np.concatenate([[0.0], np.linalg.norm(np.diff(way, axis=0), axis=1).cumsum()])
    evenly = np.linspace(0, lengths[-1], 256)
    return _to_rgb(np.stack([np.interp(evenly, lengths, way[:, part]) for part in range(3)], 1))


def _rounded(way: np.ndarray) -> np.ndarray:
    """Return a polygon with each corner cut off at a quarter of its sides, and the same ends (Chaikin 1974)."""
    before, after = way[:-1], way[1:]
    cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], 1).reshape(-1, 3)
    return np.concatenate([way[:1], cut[1:-1], way[-1:]])


def top_of_scale(largest: float) -> float:
    """Return where the colours of W end: above the largest W that is shown, in steps of 0.02 and from 0.1 on.

    Where little happens it can be seen, and what is next to nothing is not made to look like much.
    """
    return float(np.clip(np.ceil(round(50 * largest, 6)) / 50, 0.1, 1.0))


def css_gradient(colours: np.ndarray, steps: int = 12) -> str:
    """Return colours, uint8 [256, 3], as a CSS gradient from left to right."""
    shown = colours[np.linspace(0, len(colours) - 1, steps).round().astype(int)]
    return f"linear-gradient(90deg, {', '.join(f'rgb({r} {g} {b})' for r, g, b in shown.tolist())})"


def to_lab(colours: np.ndarray) -> np.ndarray:
    """Return colours from 0 to 255, [N, 3], as CIE 1976 L*a*b* under D65: Euclidean distances are seen differences."""
    share = np.asarray(colours) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def _to_rgb(lab: np.ndarray) -> np.ndarray:
    y = (lab[:, 0] + 16) / 116
    xyz = np.stack([y + lab[:, 1] / 500, y, y - lab[:, 2] / 200], 1)
    xyz = np.where(xyz > 6 / 29, xyz**3, (116 * xyz - 16) * 27 / 24389) * _WHITE
    linear = np.clip(xyz @ np.linalg.inv(_TO_XYZ).T, 0, 1)
    share = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * share).astype(np.uint8)
