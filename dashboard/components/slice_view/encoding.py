"""A slice of the decision function as the browser needs it: pure functions from arrays to JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InputError
from core.figures.slice_words import POINT_KEYS, describe_slice, label_shares, ring_caption
from dashboard.components.component import to_base64

if TYPE_CHECKING:
    from core.figures.slice_layers import SliceLayer
    from core.instruments.slices.plane import SlicePlane

MOST_CLASSES = 256


def encode_slice(
    plane: SlicePlane,
    classes: Sequence[str],
    *,
    colours: Sequence[str],
    point_names: Mapping[str, str],
    axis_names: tuple[str, str],
    sigma: float | None,
    layer: SliceLayer | None = None,
    triggered: bool = True,
) -> dict[str, Any]:
    """Everything that the canvas needs to draw a slice and the image at any of its points.

    The labels travel as one byte each, the three images with 16 bits a value, so that
    ``origin + x * x_axis + y * y_axis``, clamped to [0, 1], differs from the exact image by far less than 1/255.

    Parameters
    ----------
    plane : SlicePlane
        Labels int64[R, R] on the evenly spaced L2 distances ``x`` and ``y`` (row r is y[r], upwards).
    classes : Sequence[str]
        The name of each label, at most 256.
    colours : Sequence[str]
        Colours as "#rrggbb", one per class; classes beyond their number reuse them with a pattern.
    point_names : Mapping[str, str]
        What to call the plane's points ("origin", "toward", "across"); points without a name are not drawn.
    axis_names : tuple[str, str]
        What x and y measure.
    sigma : float or None
        Radius of the rings in pixel values, None for no rings.
    layer : SliceLayer or None
        Numbers to be shown instead of the labels, over the same square.
    triggered : bool
        Whether the point "toward" is the image with the trigger, which has a mark and a ring of its own.

    Returns
    -------
    dict
        JSON-serialisable; the same input always gives the same output.

    Raises
    ------
    InputError
        If the arrays don't fit each other, or a label has no class, or a colour is not "#rrggbb".
    """
    labels = _labels(plane, len(classes))
    images = _images(plane)
    _check_colours(colours)
    shares = label_shares(labels)
    return {
        "resolution": int(labels.shape[0]),
        "extent": [*_span(plane.x, "x", len(labels)), *_span(plane.y, "y", len(labels))],
        "labels": to_base64(labels.astype(np.uint8)),
        "classes": list(classes),
        "colours": list(colours),
        "shares": [[label, share] for label, share in shares],
        "points": _points(plane, point_names, triggered=triggered),
        "shape": list(images["origin"].shape),
        "images": {name: _quantised(image) for name, image in images.items()},
        "sigma": None if sigma is None else float(sigma),
        "axisNames": list(axis_names),
        "ringCaption": ring_caption(sigma, images["origin"].size),
        "description": describe_slice(plane, classes, point_names, layer),
        "layer": None if layer is None else _layer(layer),
    }


def _points(plane: SlicePlane, names: Mapping[str, str], *, triggered: bool) -> list[dict[str, Any]]:
    unknown = set(names) - set(POINT_KEYS)
    if unknown:
        raise InputError(f"Point {min(unknown)!r} is not on a slice: name some of {', '.join(POINT_KEYS)}.")
    marks = {"origin": "clean", "toward": "triggered" if triggered else "other", "across": "other"}
    drawn = [key for key in POINT_KEYS if key in names and key in plane.points]
    return [
        {
            "mark": marks[key],
            "name": names[key],
            "x": float(plane.points[key][0]),
            "y": float(plane.points[key][1]),
        }
        for key in drawn
    ]


def _layer(layer: SliceLayer) -> dict[str, Any]:
    """A layer as one byte a point, from the low to the high end of its colour scale, and the scale's colours."""
    values = np.asarray(layer.values, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or len(values) < 2 or not np.isfinite(values).all():
        raise InputError(f"The layer has shape {values.shape}: give a square grid of at least 2 by 2 finite numbers.")
    if not layer.high > layer.low:
        raise InputError(f"The layer's colours go from {layer.low:g} to {layer.high:g}: give an end above the start.")
    shares = np.clip((values - layer.low) / (layer.high - layer.low), 0, 1)
    return {
        "name": layer.name,
        "title": layer.title,
        "note": layer.note,
        "low": layer.low,
        "high": layer.high,
        "resolution": len(values),
        "shares": to_base64(np.rint(255 * shares).astype(np.uint8)),
        "values": to_base64(values.astype("<f4")),
        "colours": to_base64(layer.colours),
        "ends": list(layer.ends),
    }


def _labels(plane: SlicePlane, classes: int) -> np.ndarray:
    labels = np.asarray(plane.labels)
    if labels.ndim != 2 or labels.shape[0] != labels.shape[1] or labels.shape[0] < 2:
        raise InputError(f"The labels have shape {labels.shape}: give a square map of at least 2 by 2 points.")
    if classes > MOST_CLASSES:
        raise InputError(f"There are {classes} classes: the map draws at most {MOST_CLASSES}.")
    if labels.min() < 0 or labels.max() >= classes:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise InputError(f"Label {wrong} has no class name: give the names of all classes, not only {classes}.")
    return labels


def _images(plane: SlicePlane) -> dict[str, np.ndarray]:
    images = {
        "origin": np.asarray(plane.origin, dtype=np.float64),
        "xAxis": np.asarray(plane.x_axis, dtype=np.float64),
        "yAxis": np.asarray(plane.y_axis, dtype=np.float64),
    }
    shape = images["origin"].shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise InputError(f"The slice's images have shape {shape}: give [C, H, W] with one or three channels.")
    for name, image in images.items():
        if image.shape != shape or not np.isfinite(image).all():
            raise InputError(f"The slice's {name} has shape {image.shape}: give finite values of shape {shape}.")
    return images


def _span(values: Any, name: str, resolution: int) -> tuple[float, float]:
    """First and last of evenly spaced, rising grid coordinates: all that the browser needs to rebuild them."""
    grid = np.asarray(values, dtype=np.float64)
    even = np.linspace(grid[0], grid[-1], resolution) if grid.ndim == 1 and grid.size else grid
    if grid.shape != (resolution,) or grid[-1] <= grid[0] or not np.allclose(grid, even, atol=1e-3 * np.ptp(grid)):
        raise InputError(f"The slice's {name} is no grid: give {resolution} evenly spaced, rising distances.")
    return float(grid[0]), float(grid[-1])


def _check_colours(colours: Sequence[str]) -> None:
    for colour in colours:
        digits = colour[1:]
        if not (colour.startswith("#") and len(digits) == 6 and all(c in "0123456789abcdefABCDEF" for c in digits)):
            raise InputError(f"{colour!r} is not a colour: give colours as '#rrggbb'.")
    if not colours:
        raise InputError("There are no colours: give at least one, as '#rrggbb'.")


def _quantised(image: np.ndarray) -> dict[str, Any]:
    """An image as 16-bit steps between its extremes: value = offset + scale * step."""
    offset = float(image.min())
    scale = float(np.ptp(image)) / 65535 or 1.0
    steps = np.rint((image - offset) / scale).astype("<u2")
    return {"offset": offset, "scale": scale, "steps": to_base64(steps)}
