"""The face of a place that image files are read from."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class ImageFiles(Protocol):
    """Image files in folders: a ZIP, or a folder on the disk.

    Attributes
    ----------
    path
        Where they are.
    images
        Their names in canonical form (see `names.canonical`), sorted.
    left_out
        Names of files that are no images.
    """

    path: Path
    images: list[str]
    left_out: list[str]

    def read(self, name: str) -> bytes:
        """Return the content of one image file."""
        ...
