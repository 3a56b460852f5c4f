"""A slice as a Plotly figure: labels or a layer, the points that span the plane, rings of radius sigma."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from core.figures.layout import new_figure
from core.figures.palette import CLEAN, TRIGGERED, class_colour, is_light
from core.figures.slice_layers import SliceLayer
from core.figures.slice_words import POINT_KEYS, describe_slice, ring_caption

if TYPE_CHECKING:
    from core.slice_plane import SlicePlane

_MARKS = {"origin": ("circle", CLEAN), "toward": ("diamond", TRIGGERED), "across": ("square", "#4a4a4a")}
# A name is written where its region is at least so many points away from other labels.
_ROOM = 0.035


def slice_figure(
    plane: SlicePlane,
    classes: Sequence[str],
    *,
    point_names: Mapping[str, str],
    sigma: float | None = None,
    layer: SliceLayer | None = None,
    axis_names: tuple[str, str] = ("along the trigger", "across"),
    height: int = 480,
) -> go.Figure:
    """Return a slice as a figure that says on hover what is predicted where; see `slice_alt` for it in words.

    Parameters
    ----------
    plane
        From `core.slices.slice_plane`.
    classes
        The name of each label.
    point_names
        What to call the plane's points "origin", "toward" and "across"; those without a name are not drawn.
    sigma
        Radius of the rings around origin and toward, in pixel values; None draws none.
    layer
        Numbers to show in colour instead of the labels, whose borders stay; see `core.figures.slice_layers`.
    axis_names
        What x and y measure.
    height
        In pixels.
    """
    figure = new_figure(f"{axis_names[0]}, distance (L2)", f"{axis_names[1]}, distance (L2)", height)
    names = np.array(classes, dtype=object)[plane.labels]
    if layer is None:
        _add_labels(figure, plane, names)
    else:
        _add_layer(figure, plane, layer)
        _add_borders(figure, plane)
    _add_names(figure, plane, classes, on_layer=layer is not None)
    if sigma is not None:
        _add_rings(figure, plane, point_names, sigma)
    _add_points(figure, plane, point_names)
    span = [float(plane.x[0]), float(plane.x[-1])], [float(plane.y[0]), float(plane.y[-1])]
    figure.update_xaxes(range=span[0], showgrid=False, constrain="domain")
    figure.update_yaxes(range=span[1], showgrid=False, scaleanchor="x", constrain="domain")
    _add_notes(figure, plane, sigma, layer)
    return figure


def slice_alt(
    plane: SlicePlane, classes: Sequence[str], point_names: Mapping[str, str], layer: SliceLayer | None = None
) -> str:
    """Return the figure in words, for people who cannot see it."""
    return describe_slice(plane, classes, point_names, layer)


def _add_labels(figure: go.Figure, plane: SlicePlane, names: np.ndarray) -> None:
    present = list(plane.labels_present)
    place = np.searchsorted(present, plane.labels)
    edges = np.linspace(0, 1, len(present) + 1)
    scale = [[float(edge), class_colour(label)] for i, label in enumerate(present) for edge in (edges[i], edges[i + 1])]
    figure.add_heatmap(
        x=plane.x,
        y=plane.y,
        z=place,
        zmin=-0.5,
        zmax=len(present) - 0.5,
        colorscale=scale,
        showscale=False,
        customdata=names,
        hovertemplate="%{customdata}<br>%{x:.2f}, %{y:.2f}<extra></extra>",
    )


def _add_layer(figure: go.Figure, plane: SlicePlane, layer: SliceLayer) -> None:
    side = len(layer.values)
    figure.add_heatmap(
        x=np.linspace(plane.x[0], plane.x[-1], side),
        y=np.linspace(plane.y[0], plane.y[-1], side),
        z=layer.values,
        zmin=layer.low,
        zmax=layer.high,
        colorscale="Cividis",
        zsmooth="best",
        colorbar={"title": {"text": layer.title, "side": "right"}, "thickness": 12, "outlinewidth": 0},
        hovertemplate=f"{layer.name} %{{z:.3f}}<br>%{{x:.2f}}, %{{y:.2f}}<extra></extra>",
    )


def _add_borders(figure: go.Figure, plane: SlicePlane) -> None:
    for label in plane.labels_present:
        for colour, width in (("rgba(0,0,0,0.55)", 3.5), ("#ffffff", 1.5)):
            figure.add_contour(
                x=plane.x,
                y=plane.y,
                z=(plane.labels == label).astype(np.uint8),
                contours={"start": 0.5, "end": 0.5, "size": 1, "coloring": "none"},
                line={"color": colour, "width": width},
                showscale=False,
                hoverinfo="skip",
            )


def _add_names(figure: go.Figure, plane: SlicePlane, classes: Sequence[str], *, on_layer: bool) -> None:
    """Write the name of each region where it has most room."""
    from scipy.ndimage import distance_transform_edt, label

    side = len(plane.x)
    for present in plane.labels_present:
        regions, count = label(plane.labels == present)
        for region in range(1, count + 1):
            room = distance_transform_edt(np.pad(regions == region, 1))[1:-1, 1:-1]
            row, column = np.unravel_index(room.argmax(), room.shape)
            if room[row, column] < _ROOM * side:
                continue
            dark = not on_layer and is_light(class_colour(present))
            figure.add_annotation(
                x=plane.x[column],
                y=plane.y[row],
                text=f"<b>{classes[present]}</b>",
                showarrow=False,
                font={"color": "#141414" if dark else "#ffffff", "size": 13},
                bgcolor="rgba(0,0,0,0)" if not on_layer else "rgba(0,0,0,0.45)",
            )


def _add_rings(figure: go.Figure, plane: SlicePlane, point_names: Mapping[str, str], sigma: float) -> None:
    for key in ("origin", "toward"):
        if key in point_names:
            x, y = plane.points[key]
            ring = {"x0": x - sigma, "x1": x + sigma, "y0": y - sigma, "y1": y + sigma}
            for colour, width in (("rgba(255,255,255,0.9)", 4.5), (_MARKS[key][1], 2)):
                dash = "dash" if key == "toward" and width == 2 else "solid"
                figure.add_shape(type="circle", **ring, line={"color": colour, "width": width, "dash": dash})


def _add_points(figure: go.Figure, plane: SlicePlane, point_names: Mapping[str, str]) -> None:
    for key in POINT_KEYS:
        if key not in point_names:
            continue
        symbol, colour = _MARKS[key]
        x, y = plane.points[key]
        figure.add_scatter(
            x=[x],
            y=[y],
            mode="markers",
            marker={"symbol": symbol, "color": colour, "size": 13, "line": {"color": "#ffffff", "width": 2}},
            hovertemplate=f"{point_names[key]}<br>%{{x:.2f}}, %{{y:.2f}}<extra></extra>",
        )
        figure.add_annotation(
            x=x,
            y=y,
            yshift=-20 if key == "origin" else 20,  # clean and triggered are often close
            text=point_names[key],
            showarrow=False,
            font={"color": "#ffffff", "size": 12},
            bgcolor="#b34e00" if key == "toward" else colour,
            borderpad=2,
        )


def _add_notes(figure: go.Figure, plane: SlicePlane, sigma: float | None, layer: SliceLayer | None) -> None:
    notes = [part for part in (layer.note if layer else "", ring_caption(sigma, plane.origin.size)) if part]
    if not notes:
        return
    text = "<br>".join(line for note in notes for line in note.replace(". ", ".\n").split("\n"))
    lines = text.count("<br>") + 1
    figure.add_annotation(
        text=text, x=0, y=0, xref="paper", yref="paper", xanchor="left", yanchor="top", yshift=-60, showarrow=False,
        align="left", font={"size": 11},
    )  # fmt: skip
    figure.update_layout(margin={"b": 70 + 15 * lines})
