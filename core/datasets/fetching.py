"""Published files that are too large to pass through the memory: fetched to the disk, and known by their checksum."""

from __future__ import annotations

import hashlib
import http.client
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from core.errors import InputError
from core.files import whole_file

_SECONDS_OF_SILENCE = 15
_PIECE = 2**18


def fetch_file(path: Path, url: str, checksum: str, most: int, progress: Callable[[float], None]) -> None:
    """See to it that the file at `path` is the published one; fetch it where it is missing or damaged.

    Parameters
    ----------
    path
        Where it lies, or will lie.
    url
        Where it is published.
    checksum
        Its MD5 in hexadecimal digits.
    most
        More bytes than it has: whatever is longer is not it.
    progress
        Called with the share that has come.

    Raises
    ------
    InputError
        It cannot be fetched or stored, or what is published is another file.
    """
    if path.is_file() and _checksum(path) == checksum:
        return
    host = urlsplit(url).hostname or url
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file, urllib.request.urlopen(url, timeout=_SECONDS_OF_SILENCE) as response:
            expected = int(response.headers.get("Content-Length") or 0)
            digest, received = hashlib.md5(usedforsecurity=False), 0
            while piece := response.read(_PIECE):
                received += len(piece)
                if received > most:
                    raise ValueError("the answer is far too long")
                file.write(piece)
                digest.update(piece)
                progress(min(1.0, received / expected) if expected else 0.0)
            if digest.hexdigest() != checksum:
                raise ValueError("wrong checksum")
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise InputError(
            f"{path.name} could not be fetched to {path.parent} ({host}: {reason}): connect to the network, or put the "
            "file there by hand, or use digits or signs, which work offline."
        ) from None


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
