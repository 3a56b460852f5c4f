"""How much of a trigger a person could see: what it changes in images, in the field's usual numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import InputError

# Wang et al.'s window and constants, for pixels in [0, 1].
_WINDOW, _SIGMA, _C1, _C2 = 11, 1.5, 0.01**2, 0.03**2


@dataclass(frozen=True)
class Visibility:
    """How far images with a trigger are from those without: means over the images, pixels in [0, 1].

    Attributes
    ----------
    pixels
        Pixels of one image, H * W.
    l0
        Pixels of which any channel changes.
    l2
        Square root of the sum of squared changes over all pixels and channels.
    linf
        The largest change of any pixel and channel.
    psnr
        Peak signal-to-noise ratio in decibels, 10 log10(1 / mean squared change), over the images that change; above
        about 40 hardly visible. None if no image changes, since it would be infinite.
    ssim
        Structural similarity: 1 for equal images; see `structural_similarity`.
    """

    pixels: int
    l0: float
    l2: float
    linf: float
    psnr: float | None
    ssim: float


def visible_change(before: np.ndarray, after: np.ndarray) -> Visibility:
    """Return how far one set of images is from another, both uint8 [N, C, H, W].

    Raises
    ------
    InputError
        There are no images, or the shapes differ.
    """
    if before.shape != after.shape or before.ndim != 4 or not len(before):
        raise InputError(
            f"Two equal stacks of images [N, C, H, W] are needed; got {list(before.shape)} and {list(after.shape)}."
        )
    clean, changed = before / 255.0, after / 255.0
    change = np.abs(changed - clean)
    squares = (change**2).reshape(len(change), -1)
    differs = squares.any(axis=1)
    return Visibility(
        pixels=before.shape[2] * before.shape[3],
        l0=float(change.any(axis=1).sum(axis=(1, 2)).mean()),
        l2=float(np.sqrt(squares.sum(axis=1)).mean()),
        linf=float(change.max(axis=(1, 2, 3)).mean()),
        psnr=float(-10 * np.log10(squares[differs].mean(axis=1)).mean()) if differs.any() else None,
        ssim=float(structural_similarity(clean, changed).mean()),
    )


def structural_similarity(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the structural similarity (SSIM) of each pair of images, float64 [N], at most 1.

    Means, variances and the covariance are taken under a Gaussian window of 11x11 pixels and standard deviation 1.5 at
    every place where it lies wholly on the image, for each channel; their SSIM is averaged. On images smaller than the
    window it is as large as fits and has a middle.

    Parameters
    ----------
    one, other
        float [N, C, H, W], pixels in [0, 1].

    References
    ----------
    Z. Wang, A. Bovik, H. Sheikh, E. Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE Transactions on Image Processing 13 (2004).
    """
    mean_one, mean_other = _windowed(one), _windowed(other)
    variances = _windowed(one * one) - mean_one**2 + _windowed(other * other) - mean_other**2
    covariance = _windowed(one * other) - mean_one * mean_other
    likeness = (2 * mean_one * mean_other + _C1) * (2 * covariance + _C2)
    return (likeness / ((mean_one**2 + mean_other**2 + _C1) * (variances + _C2))).mean(axis=(1, 2, 3))


def _windowed(values: np.ndarray) -> np.ndarray:
    """Return weighted means of [N, C, H, W] under the window, at the places where it lies wholly on the image."""
    for axis in (2, 3):
        side = min(_WINDOW, values.shape[axis] - 1 + values.shape[axis] % 2)
        weights = np.exp(-0.5 * ((np.arange(side) - side // 2) / _SIGMA) ** 2)
        windows = np.lib.stride_tricks.sliding_window_view(values, side, axis=axis)
        values = windows @ (weights / weights.sum())
    return values
