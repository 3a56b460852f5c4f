"""What every source of images returns."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Split:
    """Images, uint8 [N, C, H, W] with C 1 (grey) or 3 (RGB), and labels, int64 [N], places in the `classes`."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A labelled set of small images, cut once and for all into training and test images.

    Attributes
    ----------
    name
        What `load_dataset` was asked for.
    classes
        Names of the K classes, in the order of the labels.
    train, test
        The two splits; all images of both have one shape.
    fingerprint
        A short string that differs wherever the images, labels or splits may differ.
    notes
        Sentences about what was left out or changed when it was read, and what may be meant otherwise.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    fingerprint: str
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width


def to_unit(images: Tensor) -> Tensor:
    """Return uint8 images as float32 in [0, 1]."""
    return images.float() / 255


def content_key(image: Tensor) -> int:
    """Return a key that an image's own pixels decide: its noise is the same in whatever company it comes."""
    return zlib.crc32(image.detach().cpu().contiguous().numpy().tobytes())
