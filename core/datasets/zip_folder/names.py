"""File names in one form: what a name says is read only after it has been written in one way."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

_IMAGE_SUFFIXES = (
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".jfif", ".jif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".pjp"),
    *(".pjpeg", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
# What browsers and cameras save under other endings, or under none, by how their files begin.
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_LITTER = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "icon"))
BEGINNING_LENGTH = 12
_NAMED = 3


def canonical(name: str) -> str:
    """Return a member's name with forward slashes, without empty parts, its letters composed (Unicode NFC).

    macOS stores "Ä" as "A" and two dots; both are the same folder to whoever named it.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    return unicodedata.normalize("NFC", "/".join(parts))


def is_litter(name: str) -> bool:
    """Say whether computers left this file behind, unasked: hidden files, previews, folder icons."""
    parts = name.split("/")
    return any(part.startswith(".") or part == "__MACOSX" for part in parts) or parts[-1].lower() in _LITTER


def is_image_name(name: str) -> bool:
    """Say whether a file's ending is one of a picture."""
    return PurePosixPath(name).suffix.lower() in _IMAGE_SUFFIXES


def begins_like_image(beginning: bytes) -> bool:
    """Say whether a file with these first 12 bytes is a picture, whatever its ending."""
    webp = beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP"
    return webp or beginning[4:12] == b"ftypavif" or beginning.startswith(_BEGINNINGS)


def distinct(name: str, taken: Collection[str]) -> str:
    """Return the name, or one that tells it from the files of the same canonical name.

    It counts on from how many names there are, so that many equal ones take no longer than others.
    """
    free, number = name, len(taken)
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def listed(names: Sequence[str]) -> str:
    """Return the first few of many names, quoted, and how many more there are."""
    first = ", ".join(f"'{shortened(name)}'" for name in names[:_NAMED])
    return first + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def shortened(name: str) -> str:
    """Return a name that fits into a sentence, with nothing in it that does not print."""
    name = "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
    return name if len(name) <= 80 else f"{name[:50]}...{name[-25:]}"


def left_out_in_words(names: Sequence[str]) -> list[str]:
    """Return a sentence about files that are no pictures, counted by their endings; none where there are none."""
    if not names:
        return []
    endings = Counter(PurePosixPath(name).suffix.lower() or "no ending" for name in names)
    kinds = ", ".join(f"{count} with {shortened(ending)}" for ending, count in endings.most_common(4))
    is_one = len(names) == 1
    return [
        f"{len(names)} file{'' if is_one else 's'} left out because {'it is' if is_one else 'they are'} not an image "
        f"this program reads ({kinds}): {listed(names)}."
    ]
