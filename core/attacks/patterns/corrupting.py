"""Corruptions: what happens to images without any attacker. A short list, after Hendrycks and Dietterich.

Each makes new images; the ones given stay as they are, and no corruption builds on another's result.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.datasets.dataset import content_key
from core.errors import InputError


def corrupt(name: str, images: Tensor, strength: float = 0.3, seed: int = 0) -> Tensor:
    """Return corrupted copies of images, float [N, C, H, W] in [0, 1].

    Parameters
    ----------
    name
        brightness, contrast, uniform-noise, salt-and-pepper, blur or mosaic.
    images
        Float [N, C, H, W] in [0, 1].
    strength
        In (0, 1]: how much brighter; how much of the contrast is lost; largest noise of a pixel; share of the pixels
        that salt and pepper replaces; blur's deviation and a mosaic tile's side as shares of a quarter of the image.
    seed
        Decides noise. An image's noise also depends on its own pixels, never on the other images.

    Raises
    ------
    InputError
        The name is unknown or the strength out of range.

    References
    ----------
    Hendrycks, Dietterich: Benchmarking neural network robustness to common corruptions and perturbations, ICLR 2019,
    arXiv 1903.12261. Their severities are made for ImageNet; ours are one number.
    """
    if name not in _CORRUPTIONS:
        raise InputError(f"There is no corruption called {name!r}; choose one of: {', '.join(_CORRUPTIONS)}.")
    if not 0 < strength <= 1:
        raise InputError(f"A corruption's strength lies above 0 and is at most 1; got {strength:g}.")
    return _CORRUPTIONS[name](images.detach().float(), strength, seed)


def _brighter(images: Tensor, strength: float, seed: int) -> Tensor:
    del seed
    return (images + strength).clamp(0, 1)


def _less_contrast(images: Tensor, strength: float, seed: int) -> Tensor:
    del seed
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (1 - strength) * (images - mean)


def _uniform_noise(images: Tensor, strength: float, seed: int) -> Tensor:
    return (images + strength * (2 * _uniform(images, seed) - 1)).clamp(0, 1)


def _salt_and_pepper(images: Tensor, strength: float, seed: int) -> Tensor:
    dice = _uniform(images[:, :1], seed)
    salted = torch.where(dice < strength / 2, torch.ones_like(images), images)
    return torch.where(dice > 1 - strength / 2, torch.zeros_like(images), salted)


def _blurred(images: Tensor, strength: float, seed: int) -> Tensor:
    del seed
    deviation = max(0.3, strength * min(images.shape[2:]) / 4)
    reach = min(max(1, round(2.5 * deviation)), min(images.shape[2:]) - 1)
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=images.device) / deviation) ** 2)
    taps = taps / taps.sum()
    channels = images.shape[1]
    rows, columns = (taps.view(shape).expand(channels, *shape[1:]) for shape in ((1, 1, -1, 1), (1, 1, 1, -1)))
    padded = nn.functional.pad(images, (reach,) * 4, mode="reflect")
    return nn.functional.conv2d(nn.functional.conv2d(padded, rows, groups=channels), columns, groups=channels)


def _mosaic(images: Tensor, strength: float, seed: int) -> Tensor:
    del seed
    height, width = images.shape[2:]
    tile = max(2, round(strength * min(height, width) / 4))
    tiles = nn.functional.interpolate(images, (-(-height // tile), -(-width // tile)), mode="area")
    return nn.functional.interpolate(tiles, (height, width), mode="nearest")


def _uniform(images: Tensor, seed: int) -> Tensor:
    """Return uniform numbers in [0, 1) of the images' shape; each image's own pixels and the seed decide its."""
    drawn = []
    for image in images:
        generator = torch.Generator().manual_seed(2**32 * (seed % 2**20) + content_key(image))
        drawn.append(torch.rand(image.shape, generator=generator))
    return torch.stack(drawn).to(images.device)


_CORRUPTIONS = {
    "brightness": _brighter,
    "contrast": _less_contrast,
    "uniform-noise": _uniform_noise,
    "salt-and-pepper": _salt_and_pepper,
    "blur": _blurred,
    "mosaic": _mosaic,
}
