"""What a folder's name says about its place in a split into training and test images."""

from __future__ import annotations

import re
from typing import Literal

Role = Literal["train", "test", "validation"]

_WORDS: dict[str, Role] = dict.fromkeys(("train", "training", "trn"), "train")
_WORDS |= dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "holdout", "heldout"), "test")
_WORDS |= dict.fromkeys(("val", "valid", "validation", "validate", "dev", "development"), "validation")
# What people write around these words: "seg_train", "Training Set", "testdata".
_AROUND = ("dataset", "data", "set", "split", "images", "image", "imgs", "img", "pictures", "photos", "seg", "folder")


def role_of(folder: str) -> Role | None:
    """Return what a folder of this name is usually for, or None for any other name. Digits count for nothing."""
    words = [word for word in re.findall(r"[^\W\d_]+", folder.lower()) if word not in _AROUND]
    word = "".join(words)
    for other in _AROUND:
        word = word.removesuffix(other) if word != other else word
        word = word.removeprefix(other) if word.removeprefix(other) in _WORDS else word
    return _WORDS.get(word)
