"""From the names in a ZIP to classes and splits."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from core.errors import InputError

LARGEST_CLASS_COUNT = 1000
_TRAIN_NAMES = ("train", "training")
_TEST_NAMES = ("test", "testing", "val", "valid", "validation")


@dataclass(frozen=True)
class Layout:
    """Which file is what.

    Attributes
    ----------
    classes
        Names of the class folders in natural order ("2" before "10").
    train, test
        Pairs of a member's name and its label, class after class.
    """

    classes: tuple[str, ...]
    train: tuple[tuple[str, int], ...]
    test: tuple[tuple[str, int], ...]


def read_layout(names: list[str], archive: str) -> Layout:
    """Find classes and splits in the names of image files.

    Folders that enclose everything are looked through. Then `train/<class>/*` and `test/<class>/*` are taken as they
    are (`val` stands in for a missing `test`); otherwise each folder is a class and 20 % of its images, chosen by a
    seeded order, are the test images. Deeper folders belong to their class; images outside class folders are ignored.

    Raises
    ------
    InputError
        If there are fewer than two classes or one of them lacks images to train or to test with.
    """
    paths = _without_enclosing({name: name.split("/") for name in names})
    folders = {parts[0].lower(): parts[0] for parts in paths.values()}
    train_folder = next((folders[name] for name in _TRAIN_NAMES if name in folders), None)
    test_folder = next((folders[name] for name in _TEST_NAMES if name in folders), None)
    if train_folder and test_folder:
        return _given_split(paths, train_folder, test_folder, archive)
    return _seeded_split(_by_class(paths), archive)


def _without_enclosing(paths: dict[str, list[str]]) -> dict[str, list[str]]:
    """The paths from the first folder on that has a sibling, or holds images itself; files in no folder drop out."""
    while True:
        paths = {name: parts for name, parts in paths.items() if len(parts) > 1}
        alone = len({parts[0] for parts in paths.values()}) == 1
        if not alone or all(len(parts) == 2 for parts in paths.values()):
            return paths
        paths = {name: parts[1:] for name, parts in paths.items()}


def _by_class(paths: dict[str, list[str]]) -> dict[str, list[str]]:
    classes = defaultdict(list)
    for name in sorted(paths):
        classes[paths[name][0]].append(name)
    return classes


def _natural(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Sorting key that counts: numbers by value and before letters."""
    pieces = re.findall(r"([0-9]{1,18})|([^0-9]+)", name.lower())
    return [(not number, int(number or 0), other) for number, other in pieces], name


def _checked_classes(members: dict[str, list[str]], archive: str) -> tuple[str, ...]:
    expected = "give a ZIP with train/<class>/* and test/<class>/*, or with <class>/*"
    if not members:
        raise InputError(f"{archive} holds no images in class folders: {expected}.")
    if len(members) == 1:
        raise InputError(
            f"{archive} holds a single class folder, '{next(iter(members))}', but two are needed: {expected}."
        )
    if len(members) > LARGEST_CLASS_COUNT:
        raise InputError(f"{archive} holds {len(members)} class folders: at most {LARGEST_CLASS_COUNT} are supported.")
    return tuple(sorted(members, key=_natural))


def _given_split(paths: dict[str, list[str]], train_folder: str, test_folder: str, archive: str) -> Layout:
    inside = {
        folder: _by_class({name: parts[1:] for name, parts in paths.items() if parts[0] == folder and len(parts) > 2})
        for folder in (train_folder, test_folder)
    }
    classes = _checked_classes(inside[train_folder], archive)
    for one, other in ((train_folder, test_folder), (test_folder, train_folder)):
        missing = sorted(set(inside[one]) - set(inside[other]), key=_natural)
        if missing:
            raise InputError(
                f"{archive} has images of '{missing[0]}' in {one}/ but none in {other}/: put some of every "
                "class in both."
            )
    train, test = (
        tuple((name, label) for label, one in enumerate(classes) for name in inside[folder][one])
        for folder in (train_folder, test_folder)
    )
    return Layout(classes, train, test)


def _seeded_split(members: dict[str, list[str]], archive: str) -> Layout:
    import numpy as np

    from core.datasets.splitting import stratified_split

    classes = _checked_classes(members, archive)
    for one in classes:
        if len(members[one]) < 2:
            raise InputError(
                f"{archive} has a single image of '{one}': two are needed, one to train and one to test with."
            )
    labelled = [(name, label) for label, one in enumerate(classes) for name in members[one]]
    train, test = stratified_split(np.array([label for _, label in labelled]))
    return Layout(classes, tuple(labelled[index] for index in train), tuple(labelled[index] for index in test))
