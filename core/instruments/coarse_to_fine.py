"""Grids that are measured from coarse to fine: which points come first, and what stands in for the others meanwhile."""

from __future__ import annotations

import numpy as np


def grid_nodes(count: int, stride: int) -> np.ndarray:
    """Return every so many of the places 0..count-1 along an axis, the last one always among them."""
    return np.union1d(np.arange(0, count, stride), count - 1)


def coarse_grid(shape: tuple[int, int], stride: int) -> np.ndarray:
    """Return the points of a grid that lie on every so many rows and columns, bool [R, C]."""
    grid = np.zeros(shape, bool)
    grid[np.ix_(grid_nodes(shape[0], stride), grid_nodes(shape[1], stride))] = True
    return grid


def nearest_measured(measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of the measured point, bool [R, C], that lies nearest to each: int [R, C] both."""
    from scipy.ndimage import distance_transform_edt

    rows, columns = np.asarray(distance_transform_edt(~measured, return_distances=False, return_indices=True))
    return rows, columns
