"""ZIP files that people bring through the page: kept in the data folder, each in a folder named by its content."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from core.datasets.dataset import Dataset
from core.datasets.registry import data_folder, load_dataset
from core.datasets.source import Progress
from core.errors import InputError
from core.files import whole_file

_FOLDER = "uploads"
_LONGEST_NAME = 60


def accept_upload(
    content: bytes, name: str, data_root: str | Path | None = None, progress: Progress | None = None
) -> Dataset:
    """Keep a ZIP file of class folders in the data folder and load it; its `name` loads it from then on.

    Equal content is kept once. A file that cannot be used is not kept.

    Parameters
    ----------
    content
        The whole file.
    name
        What it was called where it comes from.
    data_root, progress
        See `load_dataset`.

    Raises
    ------
    InputError
        The file cannot be used as a data set (see `load_dataset`), or the data folder cannot be written.
    """
    kept = [Path(dataset.removeprefix("zip:")) for dataset in uploaded_datasets(data_root)]
    digest = hashlib.sha256(content).hexdigest()[:16]
    path = next((path for path in kept if path.parent.name == digest), None)
    if path is not None:
        return load_dataset(f"zip:{path}", data_root, progress)
    path = data_folder(data_root) / _FOLDER / digest / _harmless(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        raise InputError(
            f"{name} cannot be kept in {data_folder(data_root)} ({error.strerror or error}): make room there, or name "
            "another folder in TRIGGERSCOPE_DATA."
        ) from None
    try:
        return load_dataset(f"zip:{path}", data_root, progress)
    except InputError as error:
        shutil.rmtree(path.parent, ignore_errors=True)
        # What the person knows is the name, not where it was put for a moment.
        raise InputError(str(error).replace(str(path), name)) from None


def uploaded_datasets(data_root: str | Path | None = None) -> tuple[str, ...]:
    """Return the names of all data sets that came by upload, as `load_dataset` takes them."""
    found = (data_folder(data_root) / _FOLDER).glob("*/*.zip")
    return tuple(f"zip:{path}" for path in sorted(found, key=lambda path: path.name.lower()))


def _harmless(name: str) -> str:
    """Return a file's name with letters, digits, dashes, underscores and dots only."""
    stem = re.sub(r"[^\w-]+", "-", Path(name.replace("\\", "/")).stem).strip("-")[:_LONGEST_NAME]
    return f"{stem or 'images'}.zip"
