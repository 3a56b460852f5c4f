"""Which data sets there are, and how to get one by its name.

To add one: write a file with a `Source` in it and name it in `SOURCES`.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from core.datasets import colour_sets, digits, image_folder, signs, torchvision_sets, zip_folder
from core.datasets.dataset import Dataset
from core.datasets.source import Description, Progress, Source
from core.errors import InputError

SOURCES: dict[str, Source] = {
    source.description.name: source
    for source in (digits.SOURCE, signs.SOURCE, *torchvision_sets.SOURCES, *colour_sets.SOURCES)
}
"""Every data set by its name, in the order in which people see them."""

_ZIP, _FOLDER = "zip:", "folder:"


def dataset_names() -> tuple[str, ...]:
    """Names of all data sets but those in ZIP files and folders, which are named `zip:PATH` and `folder:PATH`."""
    return tuple(SOURCES)


def describe(name: str) -> Description:
    """What is known of a data set without loading it.

    Raises
    ------
    InputError
        If there is no data set of that name.
    """
    if name.startswith(_ZIP):
        return zip_folder.describe(name, _path(name))
    if name.startswith(_FOLDER):
        return image_folder.describe(name, _path(name))
    return _source(name).description


def data_folder(data_root: str | Path | None = None) -> Path:
    """Where downloads and caches live: the argument, else the environment's TRIGGERSCOPE_DATA, else `data` here."""
    return Path(data_root or os.environ.get("TRIGGERSCOPE_DATA") or "data")


def fingerprint(name: str, data_root: str | Path | None = None) -> str:
    """The `Dataset.fingerprint` that loading would give, without loading; of a ZIP the file is read once.

    Raises
    ------
    InputError
        If there is no data set of that name, or the ZIP file can't be read.
    """
    if name.startswith(_ZIP):
        return zip_folder.fingerprint(_path(name))
    if name.startswith(_FOLDER):
        return image_folder.fingerprint(_path(name))
    return _source(name).fingerprint


def name_in_identity(name: str, fingerprint: str) -> str:
    """Return what names a data set in an identity: of somebody's own images only the kind, wherever they lie.

    Their content is named by the fingerprint.
    """
    kind = fingerprint.partition("-")[0]
    return kind if f"{kind}:" in (_ZIP, _FOLDER) else name


def is_own(name: str) -> bool:
    """Say whether a name stands for somebody's own images, and not for one of `dataset_names()`."""
    return name.startswith((_ZIP, _FOLDER))


def load_dataset(name: str, data_root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """Load a data set, fetching, generating or decoding it where it is not at hand yet.

    Parameters
    ----------
    name
        One of `dataset_names()`, or `zip:PATH` or `folder:PATH` for a ZIP file or a folder with a folder of images for
        each class.
    data_root
        Folder for downloads and caches. By default the environment's TRIGGERSCOPE_DATA, else `data` in the current
        folder.
    progress
        Called with a share from 0 to 1 and a text while something takes long.

    Raises
    ------
    InputError
        If there is no data set of that name, it can't be fetched, or the ZIP file can't be used.

    Examples
    --------
    >>> data = load_dataset("digits")
    >>> data.shape, len(data.train), len(data.test), len(data.classes)
    ((1, 8, 8), 1438, 359, 10)
    """
    root = data_folder(data_root)
    report = progress or _ignore
    if name.startswith(_ZIP):
        return zip_folder.load(name, _path(name), root, report)
    if name.startswith(_FOLDER):
        return image_folder.load(name, _path(name), root, report)
    return _source(name).load(root, report)


def load_test(name: str, data_root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """Load a data set for those who only look at its test images: `train` may be empty. Arguments as in `load_dataset`.

    The test images, classes and fingerprint are the same; signs are there in a sixth of the time.
    """
    source = None if is_own(name) else _source(name)
    if source is None or source.load_test is None:
        return load_dataset(name, data_root, progress)
    return source.load_test(data_folder(data_root), progress or _ignore)


def _ignore(share: float, text: str) -> None:
    """Nobody wants to know."""


def _path(name: str) -> Path:
    return Path(name.partition(":")[2]).expanduser()


def _source(name: str) -> Source:
    if name in SOURCES:
        return SOURCES[name]
    similar = difflib.get_close_matches(name.lower(), SOURCES, n=1)
    if name.lower().endswith(".zip"):
        similar = [_ZIP + name]
    elif Path(name).is_dir():
        similar = [_FOLDER + name]
    hint = f" Did you mean '{similar[0]}'?" if similar else ""
    raise InputError(
        f"There is no data set '{name}': choose one of {', '.join(SOURCES)}, or zip:PATH or folder:PATH for a "
        f"ZIP file or a folder of class folders.{hint}"
    )
