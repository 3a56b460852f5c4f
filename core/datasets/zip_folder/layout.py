"""From the names in a ZIP to classes and splits."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from core.datasets.zip_folder.names import listed, shortened
from core.datasets.zip_folder.splits import role_of
from core.errors import InputError

LARGEST_CLASS_COUNT = 1000
_EXPECTED = "give a ZIP with train/<class>/* and test/<class>/*, or with <class>/*"

Paths = dict[str, list[str]]
"""Names of image files, each with its parts from some folder on."""


@dataclass(frozen=True)
class Layout:
    """Which file is what.

    Attributes
    ----------
    classes
        Names of the class folders in natural order ("2" before "10").
    train, test
        Pairs of a member's name and its label, class after class.
    notes
        Sentences about what was left out, and what may be meant otherwise.
    """

    classes: tuple[str, ...]
    train: tuple[tuple[str, int], ...]
    test: tuple[tuple[str, int], ...]
    notes: tuple[str, ...] = ()


def read_layout(names: list[str], archive: str) -> Layout:
    """Find classes and splits in the names of image files.

    Folders that enclose everything are looked through. `train/<class>/*` and `test/<class>/*` are taken as they are,
    under the usual names of such folders (`splits`) and also as `<class>/train/*`; validation images stand in for
    missing test images. Otherwise each folder is a class, and 20 % of its images, chosen by a seeded order, are the
    test images. Deeper folders belong to their class. What is left out is said in `notes`.

    Raises
    ------
    InputError
        If folders look like a split but cannot be read as one, there are fewer than two classes, or one of them lacks
        images to train or to test with.
    """
    paths = _without_enclosing({name: name.split("/") for name in names})
    outside = sorted(set(names) - set(paths))
    splits = _splits_outside(paths, archive) or _splits_inside(paths)
    layout = _given_split(splits, archive) if splits else _seeded_split(_by_class(paths), archive)
    used = {name for name, _ in layout.train + layout.test}
    unused = sorted(set(paths) - used)
    return replace(layout, notes=(*_about_left_out(outside, unused, splits), *_about_twins(layout.classes)))


def _without_enclosing(paths: Paths) -> Paths:
    """Return the paths from the first folder on that has a sibling, or holds images itself; files in none drop out."""
    while True:
        paths = {name: parts for name, parts in paths.items() if len(parts) > 1}
        alone = len({parts[0] for parts in paths.values()}) == 1
        if not alone or all(len(parts) == 2 for parts in paths.values()):
            return paths
        paths = {name: parts[1:] for name, parts in paths.items()}


def _splits_outside(paths: Paths, archive: str) -> dict[str, Paths]:
    """Return the images of train/<class>/* and test/<class>/* by the folders' names; nothing where there are none.

    A class may be called "train", too: only what its folder holds tells. Its images lie in it, a split's in folders of
    classes.
    """
    tops = _grouped(paths)
    roles = {folder: role for folder in tops if (role := role_of(folder)) is not None}
    deep = {folder for folder, inside in tops.items() if any(len(parts) > 1 for parts in inside.values())}
    if "train" in roles.values() and len(set(roles.values())) > 1 and not deep & set(roles):
        raise InputError(
            f"{archive} looks split into {_and(sorted(roles))}, but these hold images and no folder for each class: "
            f"{_EXPECTED}."
        )
    found = {folder: role for folder, role in roles.items() if folder in deep}
    if not found:
        return {}
    train = [folder for folder, role in found.items() if role == "train"]
    test = [folder for folder, role in found.items() if role == "test"] or [
        folder for folder, role in found.items() if role == "validation"
    ]
    if len(train) != 1 or len(test) != 1:
        raise InputError(
            f"{archive} holds the folders {_and(sorted(tops))}, of which one for training and one for testing are "
            f"expected, or none: {_EXPECTED}."
        )
    return {folder: _without_enclosing(tops[folder]) for folder in (*train, *test)}


def _splits_inside(paths: Paths) -> dict[str, Paths]:
    """Return the images of <class>/train/* and <class>/test/* by the inner folders' names, or nothing."""
    inner = {parts[1] if len(parts) > 2 else "" for parts in paths.values()}
    roles = {folder: role_of(folder) for folder in inner}
    if None in roles.values() or len(set(roles.values())) < 2 or len(roles) != len(set(roles.values())):
        return {}
    by_role = {role: folder for folder, role in roles.items()}
    test = by_role.get("test") or by_role.get("validation")
    if "train" not in by_role or test is None:
        return {}
    return {
        folder: {name: [parts[0], *parts[2:]] for name, parts in paths.items() if parts[1] == folder}
        for folder in (by_role["train"], test)
    }


def _grouped(paths: Paths) -> dict[str, Paths]:
    """Return the paths by their first folder, and from the next part on."""
    groups: dict[str, Paths] = defaultdict(dict)
    for name, parts in paths.items():
        groups[parts[0]][name] = parts[1:]
    return dict(groups)


def _about_left_out(outside: Sequence[str], unused: Sequence[str], splits: Iterable[str]) -> list[str]:
    notes = []
    if outside:
        notes.append(f"{_images(outside)} outside class folders left out: {listed(outside)}.")
    if unused:
        notes.append(
            f"{_images(unused)} left out because only {_and(list(splits))} are used: {listed(unused)}. Move them there "
            "to use them."
        )
    return notes


def _about_twins(classes: Sequence[str]) -> list[str]:
    """Return a sentence for classes whose names differ in capitals or spaces alone."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in classes:
        alike["".join(name.casefold().split())].append(name)
    return [
        f"{_and([repr(name) for name in twins])} count as {len(twins)} classes: if they are one, give their folders "
        "the same name."
        for twins in alike.values()
        if len(twins) > 1
    ]


def _images(names: Sequence[str]) -> str:
    return f"{len(names)} image{'' if len(names) == 1 else 's'}"


def _and(names: Sequence[str]) -> str:
    names = [shortened(name) for name in names]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def _by_class(paths: Paths) -> dict[str, list[str]]:
    classes = defaultdict(list)
    for name in sorted(paths):
        classes[paths[name][0]].append(name)
    return classes


def _natural(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Sorting key that counts: numbers by value and before letters."""
    pieces = re.findall(r"([0-9]{1,18})|([^0-9]+)", name.lower())
    return [(not number, int(number or 0), other) for number, other in pieces], name


def _checked_classes(members: dict[str, list[str]], archive: str) -> tuple[str, ...]:
    if not members:
        raise InputError(f"{archive} holds no images in class folders: {_EXPECTED}.")
    if len(members) == 1:
        raise InputError(
            f"{archive} holds a single class folder, '{next(iter(members))}', but two are needed: {_EXPECTED}."
        )
    if len(members) > LARGEST_CLASS_COUNT:
        raise InputError(f"{archive} holds {len(members)} class folders: at most {LARGEST_CLASS_COUNT} are supported.")
    return tuple(sorted(members, key=_natural))


def _given_split(splits: dict[str, Paths], archive: str) -> Layout:
    """Return the layout of a training and a test folder, in this order."""
    inside = {
        folder: _by_class({name: parts for name, parts in paths.items() if len(parts) > 1})
        for folder, paths in splits.items()
    }
    train_folder, test_folder = splits
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
