"""A slice in words: for people who cannot see it, and for captions. Needs neither torch nor Plotly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.runs.measured.findings import Direction, direction

if TYPE_CHECKING:
    from core.figures.slice_layers import SliceLayer
    from core.instruments.slices.plane import SlicePlane
    from core.instruments.slices.plane_smoothness import Surroundings

POINT_KEYS = ("origin", "toward", "across")


def label_shares(labels: np.ndarray) -> list[tuple[int, float]]:
    """Return the labels on a map with the share of its points that each one covers, largest first."""
    present, counts = np.unique(np.asarray(labels), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [(int(present[i]), float(counts[i] / counts.sum())) for i in order]


def label_at(plane: SlicePlane, x: float, y: float) -> int:
    """Return the label of the grid point nearest to (x, y)."""
    column = int(np.abs(np.asarray(plane.x) - x).argmin())
    row = int(np.abs(np.asarray(plane.y) - y).argmin())
    return int(np.asarray(plane.labels)[row, column])


def describe_slice(
    plane: SlicePlane, classes: Sequence[str], point_names: Mapping[str, str], layer: SliceLayer | None = None
) -> str:
    """Say which label covers how much of a slice, the label of each point, and the range of the layer over it.

    Parameters
    ----------
    plane
        The slice.
    classes
        The name of each label.
    point_names
        What to call the plane's points "origin", "toward" and "across"; those without a name are left out.
    layer
        What is shown instead of the labels.
    """
    shares = label_shares(plane.labels)
    largest = [f"{classes[label]} {_percent(share)}" for label, share in shares[:6]]
    if len(shares) > 6:
        largest.append(f"{len(shares) - 6} more labels {_percent(sum(share for _, share in shares[6:]))}")
    points = [
        f"{point_names[key]}: {classes[label_at(plane, *plane.points[key])]}"
        for key in POINT_KEYS
        if key in point_names and key in plane.points
    ]
    said = [f"Slice: predicted labels over a plane through image space. {', '.join(largest)}."]
    if points:
        said.append(f"{'; '.join(points)}.")
    if layer is not None:
        said.append(f"Shown in colour: {layer.title}, from {layer.values.min():.2f} to {layer.values.max():.2f}.")
    return " ".join(said)


_CALM: dict[Direction, str] = {"smoother": "Calmer", "rougher": "Rougher", "undecided": "No clear difference"}


def sea_words(own: Surroundings, control: Surroundings | None = None) -> str:
    """Say what W is around the image with the trigger and around the clean one, and whether it is so in the control.

    Markdown, of one image on one plane at one noise level: no more than that. What is called calmer or rougher is
    clear beyond the 95% intervals for more draws; beyond the control's as well, where it leans the same way.
    """
    found = direction(own.gap)
    numbers = (
        f"Around the trigger W is {own.triggered.value:.2f}, around the clean image {own.clean.value:.2f}"
        if own.radius
        else f"With the trigger W is {own.triggered.value:.2f}, without {own.clean.value:.2f}"
    )
    if control is None:
        lead = f"{_CALM[found]} around the trigger." if found != "undecided" else "No clear difference."
    else:
        numbers += f"; in the control {control.triggered.value:.2f} and {control.clean.value:.2f}"
        lead = _against_control(found, own, control)
    return f"**{lead}** {numbers}."


def _against_control(found: Direction, own: Surroundings, control: Surroundings) -> str:
    beside = direction(control.gap)
    if found == "undecided":
        there = "" if beside == "undecided" else f"; the control is {_CALM[beside].lower()} around the trigger"
        return f"No clear difference{there}."
    if beside != found:
        return f"{_CALM[found]} around the trigger, and not in the control."
    further = direction(own.gap, control.gap) == found
    return f"{_CALM[found]} around the trigger, {'more so than in' if further else 'but so is'} the control."


def sea_made(own: Surroundings, draws: int, seed: int) -> str:
    """Say how the numbers of `sea_words` were made."""
    if not own.radius:
        return f"W of these two images, {draws} draws each, seed {seed}. One image at one noise level proves nothing."
    return (
        f"Means over the {own.clean.n} and {own.triggered.n} points within {own.radius:.2g} (L2) of each "
        f"image, {draws} draws each, seed {seed}. One image at one noise level proves nothing."
    )


def ring_caption(sigma: float | None, dimensions: int) -> str:
    """Say what the rings show and what they hide: in all dimensions the noise is far longer than they are wide."""
    if sigma is None:
        return ""
    length = sigma * math.sqrt(dimensions)
    return (
        f"Rings: radius σ = {sigma:g}, the noise projected onto this plane. Over all {dimensions:,} pixel values "
        f"the noise has length σ√d ≈ {length:.3g}."
    )


def _percent(share: float) -> str:
    return "under 1%" if share < 0.01 else f"{share:.0%}"
