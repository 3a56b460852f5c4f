"""How much of a trigger a person could see: what it changes in images, in one number for people and the usual ones.

The number for people is the colour difference at the place that changes most, in just noticeable differences. The usual
numbers average over the image or look at one pixel, and none says whether a person sees the trigger. A white patch of
3x3 pixels on a sign has SSIM 0.99 or more. L2 is larger for noise that nobody sees than for a patch that everybody
sees. To L-infinity a step from 0.0 to 0.1 is one from 0.9 to 1.0, and to the eye it is not: CIELAB was made so that
equal distances look equally different.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import InputError

# Wang et al.'s window and constants, for pixels in [0, 1].
_WINDOW, _SIGMA, _C1, _C2 = 11, 1.5, 0.01**2, 0.03**2
# Colour differences (CIE 1976) that half of the observers just notice (Mahy et al.), and from which on two colours are
# clearly different ones (Mokrzycki and Tatol).
_NOTICEABLE, _CLEAR = 2.3, 5.0
# Side of the window over which differences are averaged: a single pixel is seen less well than a spot.
_SPOT = 3
# Linear sRGB to XYZ, relative to the white point D65 (IEC 61966-2-1).
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = _XYZ.sum(axis=1)


@dataclass(frozen=True)
class Visibility:
    """How far images with a trigger are from those without: means over the images, pixels in [0, 1].

    Attributes
    ----------
    jnd
        The colour difference where it is largest, in just noticeable differences; see `strongest_difference`.
    l2
        Square root of the sum of squared changes over all pixels and channels.
    linf
        The largest change of any pixel and channel.
    ssim
        Structural similarity: 1 for equal images; see `structural_similarity`.
    """

    jnd: float
    l2: float
    linf: float
    ssim: float

    @property
    def in_words(self) -> str:
        """What the colour difference means to people who see both images side by side."""
        if self.jnd < 1:
            return "below what an eye notices"
        return "hardly visible" if self.jnd < _CLEAR / _NOTICEABLE else "clearly visible"


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
    return Visibility(
        jnd=float(strongest_difference(clean, changed).mean()),
        l2=float(np.sqrt((change**2).sum(axis=(1, 2, 3))).mean()),
        linf=float(change.max(axis=(1, 2, 3)).mean()),
        ssim=float(structural_similarity(clean, changed).mean()),
    )


def strongest_difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the largest colour difference of each pair of images in just noticeable differences, float64 [N].

    Each pixel's difference is the distance in CIELAB (CIE 1976); it is averaged over windows of 3x3 pixels, and the
    largest window counts, over 2.3, which half of the observers just notice. The eye sees less where the image itself
    is busy, and small things less than large ones; neither is modelled, so this is an upper bound: a trigger below 1 is
    not seen, one far above 1 may hide at an edge, as a warp does.

    Parameters
    ----------
    one, other
        float [N, C, H, W], pixels in [0, 1], C is 1 or 3.

    References
    ----------
    M. Mahy, L. Van Eycken, A. Oosterlinck, "Evaluation of uniform color spaces developed after the adoption of CIELAB
    and CIELUV", Color Research and Application 19 (1994); W. Mokrzycki, M. Tatol, "Colour difference Delta E - a
    survey", Machine Graphics and Vision 20 (2011).
    """
    difference = np.sqrt(((_lab(one) - _lab(other)) ** 2).sum(axis=1))
    sides = (min(_SPOT, difference.shape[1]), min(_SPOT, difference.shape[2]))
    spots = np.lib.stride_tricks.sliding_window_view(difference, sides, axis=(1, 2)).mean(axis=(3, 4))
    return spots.max(axis=(1, 2)) / _NOTICEABLE


def _lab(pixels: np.ndarray) -> np.ndarray:
    """Return the colours of sRGB or grey pixels in CIELAB, float64 [N, 3, H, W]."""
    rgb = np.broadcast_to(pixels, (len(pixels), 3, *pixels.shape[2:]))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = np.einsum("dc,nchw->dnhw", _XYZ / _WHITE[:, None], linear)
    fx, fy, fz = (np.where(v > (6 / 29) ** 3, np.cbrt(v), v * (29 / 6) ** 2 / 3 + 4 / 29) for v in (x, y, z))
    return np.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], axis=1)


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
