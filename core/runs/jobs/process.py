"""Processes that neither a page's reload nor its server's end touches."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.files import PROJECT


def start_core(arguments: Sequence[str], log: Path) -> subprocess.Popen:
    """Start `python -m core` with arguments in a session of its own; what it complains of is added to a file."""
    detached: Mapping[str, Any] = (
        {"creationflags": 0x00000008 | 0x00000200 | 0x00004000}  # detached, own group, below normal priority
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "core", *arguments],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
            **detached,
        )
