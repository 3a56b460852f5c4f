"""The interface between the registry and the places that images come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.datasets.dataset import Dataset

Progress = Callable[[float, str], None]
"""Called with the share done, 0 to 1, and what is being done, for a person to read."""


@dataclass(frozen=True)
class Description:
    """What can be said of a data set without loading it; None where only loading tells.

    Attributes
    ----------
    name
        What `load_dataset` takes.
    title
        A heading.
    sentence
        What the images show.
    classes
        Names of the classes in the order of the labels.
    shape
        Channels, height, width.
    train_size, test_size
        Numbers of images.
    needs_download
        Whether the first use fetches files from the network.
    origin
        Who made it, and where.
    licence
        On which terms it may be used.
    may_be_mirrored
        Whether a mirrored image shows the same class, and mirroring pays: letters and signs would show another.
    """

    name: str
    title: str
    sentence: str
    classes: tuple[str, ...] | None
    shape: tuple[int, int, int] | None
    train_size: int | None
    test_size: int | None
    needs_download: bool
    origin: str
    licence: str
    may_be_mirrored: bool = False


@dataclass(frozen=True)
class Source:
    """One entry of the registry.

    Attributes
    ----------
    description
        What people see before they choose.
    fingerprint
        As in `Dataset`. Raise its number whenever the loaded images, labels or splits change.
    load
        Makes the data set, given the folder for downloads and caches.
    load_test
        Makes it without training images, where that is much faster; None where it is not.
    """

    description: Description
    fingerprint: str
    load: Callable[[Path, Progress], Dataset]
    load_test: Callable[[Path, Progress], Dataset] | None = None


def own_images(name: str, path: Path) -> Description:
    """Return what can be said of people's own images, a ZIP file or a folder, without looking into it."""
    return Description(
        name=name,
        title=path.name,
        sentence="Your own images: one folder for each class, with or without a split into train and test.",
        classes=None,
        shape=None,
        train_size=None,
        test_size=None,
        needs_download=False,
        origin=str(path),
        licence="as its owner says",
    )
