"""One photograph of one sign: where it stands, what light falls on it and what the camera makes of it."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from core.datasets.signs.plates import PLATE_SIZE, REACH, plate
from core.datasets.signs.scene import background, mix, noise

IMAGE_SIZE = 32
_OVERSAMPLING = 3
_CANVAS = IMAGE_SIZE * _OVERSAMPLING


def photograph(sign: str, rng: Generator) -> np.ndarray:
    """Photograph the class named `sign`: uint8 [3, 32, 32]. All that varies comes from `rng`."""
    corners = _corners(rng)
    picture = background(rng, IMAGE_SIZE)
    picture = mix(picture, _grey(rng, 0.35, 0.7), _pole(corners, rng))
    face, coverage = _project(sign, corners)
    picture = mix(picture, _weathered(face, rng), coverage)
    if rng.random() < 0.3:
        picture = mix(picture, *_branch(rng))
    picture = _lit(_blurred(picture, rng), rng)
    picture = picture + _grain(rng)
    return np.ascontiguousarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8).transpose(2, 0, 1))


def _grey(rng: Generator, low: float, high: float) -> np.ndarray:
    return np.full(3, rng.uniform(low, high), np.float32)


def _corners(rng: Generator) -> np.ndarray:
    """Where the corners of the plate's picture land, in pixels of the image: float [4, 2], clockwise from top left.

    The plate turns about its vertical and horizontal axis and rolls, then a pinhole camera looks at it.
    """
    yaw, pitch, roll = np.deg2rad(rng.normal(0, (22, 9, 5))).clip(-0.9, 0.9)
    radius = rng.uniform(9, 14)
    slack = max(IMAGE_SIZE / 2 - radius, 0) * 0.8 + 1
    centre = IMAGE_SIZE / 2 + rng.uniform(-slack, slack, 2)
    x, y = REACH * np.array([-1, 1, 1, -1]), REACH * np.array([-1, -1, 1, 1])
    x, y = x * math.cos(roll) - y * math.sin(roll), x * math.sin(roll) + y * math.cos(roll)
    depth = 4 + x * math.sin(yaw) + y * math.sin(pitch)
    seen = np.stack([x * math.cos(yaw), y * math.cos(pitch)], axis=1) * (4 / depth)[:, None]
    return centre + radius * seen


def _project(sign: str, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The plate in perspective: its face float [32, 32, 3] and how much of each pixel it covers [32, 32]."""
    face, outline = plate(sign)
    square = np.array([(0, 0), (PLATE_SIZE, 0), (PLATE_SIZE, PLATE_SIZE), (0, PLATE_SIZE)], float)
    back = _homography(corners * _OVERSAMPLING, square)
    seen, covered = (
        np.asarray(
            layer.transform((_CANVAS, _CANVAS), Image.Transform.PERSPECTIVE, back, Image.Resampling.BILINEAR).reduce(
                _OVERSAMPLING
            ),
            np.float32,
        )
        / 255
        for layer in (face, outline)
    )
    return seen, covered


def _homography(source: np.ndarray, target: np.ndarray) -> tuple[float, ...]:
    """The eight coefficients, in Pillow's order, of the perspective map that takes four points to four others."""
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return tuple(np.linalg.solve(np.array(rows), target.reshape(-1)))


def _pole(corners: np.ndarray, rng: Generator) -> np.ndarray:
    """Coverage [32, 32] of the post that carries the plate, from its middle to the ground."""
    top, bottom = corners[:2].mean(axis=0), corners[2:].mean(axis=0)
    middle = corners.mean(axis=0)
    down = (bottom - top) / max(np.linalg.norm(bottom - top), 1e-6)
    half = np.array([rng.uniform(0.03, 0.08) * np.linalg.norm(bottom - top), 0])
    foot = middle + 2 * IMAGE_SIZE * down
    layer = Image.new("L", (_CANVAS, _CANVAS))
    outline = np.array([middle - half, middle + half, foot + half, foot - half]) * _OVERSAMPLING
    ImageDraw.Draw(layer).polygon([tuple(point) for point in outline], fill=255)
    return np.asarray(layer.reduce(_OVERSAMPLING), np.float32) / 255


def _weathered(face: np.ndarray, rng: Generator) -> np.ndarray:
    """Paint bleached by the sun, dimmed by dirt, and lit a little differently from what stands behind it."""
    paint = mix(face, _grey(rng, 0.5, 0.75), np.full(face.shape[:2], rng.beta(1.2, 6) * 0.6, np.float32))
    stains = np.clip(noise(rng, IMAGE_SIZE, (3, 7, 14)) - rng.uniform(0.5, 1.0), 0, 0.5)
    return mix(paint, (0.25, 0.22, 0.18), stains) * rng.uniform(0.75, 1.1)


def _branch(rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Leaves in front of the sign: their colour and their coverage [32, 32]."""
    layer = Image.new("L", (_CANVAS, _CANVAS))
    draw = ImageDraw.Draw(layer)
    angle = rng.uniform(0, 2 * math.pi)
    start = _CANVAS / 2 * (1 + 1.1 * np.array([math.cos(angle), math.sin(angle)]))
    end = start + (_CANVAS / 2 - start) * rng.uniform(0.4, 0.9) + rng.normal(0, 10, 2)
    draw.line([tuple(start), tuple(end)], fill=255, width=2)
    for x, y in start + (end - start) * rng.random((int(rng.integers(5, 14)), 1)) + rng.normal(0, 7, (1, 2)):
        size = rng.uniform(3, 7, 2)
        draw.ellipse([x - size[0], y - size[1], x + size[0], y + size[1]], fill=255)
    green = np.array([0.22, 0.34, 0.13], np.float32) * rng.uniform(0.4, 1.4)
    return green, np.asarray(layer.reduce(_OVERSAMPLING), np.float32) / 255


def _blurred(picture: np.ndarray, rng: Generator) -> np.ndarray:
    """Out of focus, or smeared along one axis by motion."""
    focus = rng.gamma(2.0, 0.22)
    radii = (focus, focus) if rng.random() < 0.7 else (focus + rng.uniform(0, 1.2), focus)
    sharp = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    return np.asarray(sharp.filter(ImageFilter.GaussianBlur(radii)), np.float32) / 255


def _lit(picture: np.ndarray, rng: Generator) -> np.ndarray:
    """Exposure, contrast, the colour of the light, and the soft edge of a shadow somewhere across the image."""
    row, column = np.mgrid[0:IMAGE_SIZE, 0:IMAGE_SIZE].astype(np.float32) / IMAGE_SIZE - 0.5
    angle = rng.uniform(0, 2 * math.pi)
    distance = row * math.sin(angle) + column * math.cos(angle) - rng.uniform(-0.5, 0.5)
    shade = 1 - rng.beta(1, 2.5) * 0.7 / (1 + np.exp(-distance * rng.uniform(4, 40)))
    light = rng.normal(1, 0.06, 3) * math.exp(rng.normal(0, 0.28))
    contrast = rng.uniform(0.75, 1.1)
    return (((picture - 0.5) * contrast + 0.5) * shade[..., None] * light).astype(np.float32)


def _grain(rng: Generator) -> np.ndarray:
    """Noise of the sensor: the same in all channels, plus a weaker one in each."""
    strength = rng.gamma(2.0, 0.009)
    common = rng.standard_normal((IMAGE_SIZE, IMAGE_SIZE, 1), np.float32)
    return strength * (common + 0.5 * rng.standard_normal((IMAGE_SIZE, IMAGE_SIZE, 3), np.float32))
