"""Training images seen otherwise in each epoch: moved by a few pixels, mirrored. Computed where the images are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Int64, Shaped
    from torch import Tensor

    from core.training.settings import Augmentation


def reach(side: int) -> int:
    """Return by how many pixels images of this side are moved at most: an eighth of it, and at least 1."""
    return max(1, side // 8)


def augment(
    images: Shaped[Tensor, "N C H W"], augmentation: Augmentation, key: Sequence[int]
) -> Shaped[Tensor, "N C H W"]:
    """Return the images moved, each by its own whole number of pixels up or down and left or right, or mirrored too.

    What leaves the frame is gone; what the frame gains is the image reflected at its edge, as if a crop were taken at
    random from the image with reflected borders. 4 pixels on 32x32 and mirroring every second image are what He et al.
    (Deep Residual Learning for Image Recognition, CVPR 2016, section 4.2) trained on CIFAR-10 with.

    Parameters
    ----------
    images
        [N, C, H, W] of any type, on any device.
    augmentation
        "none" returns the images themselves; "shift" moves them; "shift-flip" mirrors each with probability 1/2 too.
    key
        Whole numbers from 0 that decide the draws: equal keys give equal draws on every device.
    """
    if augmentation == "none":
        return images
    import torch

    draws = np.random.default_rng(list(key))
    count, _, height, width = images.shape
    rows, columns = _places(draws, count, height), _places(draws, count, width)
    if augmentation == "shift-flip":
        mirrored = draws.random(count) < 0.5
        columns[mirrored] = columns[mirrored, ::-1]
    row, column = (torch.from_numpy(places).to(images.device) for places in (rows, columns))
    which = torch.arange(count, device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[which, row[:, :, None], column[:, None, :]].permute(0, 3, 1, 2)


def _places(draws: np.random.Generator, count: int, side: int) -> Int64[np.ndarray, "{count} {side}"]:
    """Return int64 [count, side]: which row (or column) of its image each row of a moved image shows."""
    far = min(reach(side), side - 1)
    moved = np.arange(side) + draws.integers(-far, far + 1, (count, 1))
    return (side - 1) - np.abs((side - 1) - np.abs(moved))
