"""What a reader may do when a file has got hold of it; `test_sandbox` lets it happen in a process apart."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from core.errors import InputError


class Service:
    """Each method misbehaves in its own way."""

    def echo(self, text: str, data: bytes = b"") -> tuple[dict, bytes]:
        """Behave."""
        sys.stdout.write("printed, not answered")
        sys.stdout.flush()
        return {"text": text}, data

    def refuse(self) -> dict:
        """Refuse, in letters that a terminal would obey."""
        raise InputError("a\x1b[2J" + "b" * 10_000)

    def crash(self) -> dict:
        """Die as a program does that reads where it may not."""
        os.kill(os.getpid(), signal.SIGSEGV)
        return {}

    def fail(self) -> dict:
        """Raise what nobody expects."""
        raise KeyError("unexpected")

    def allocate(self) -> dict:
        """Take a lot of memory."""
        return {"length": len(bytearray(2**31))}

    def sleep(self) -> dict:
        """Never come to an end."""
        time.sleep(600)
        return {}

    def write(self, path: str) -> dict:
        """Write a file."""
        Path(path).write_bytes(b"x" * 2**20)
        return {}

    def forge(self) -> dict:
        """Answer with something else than a message."""
        os.write(3, b"x" * 100)
        for number in range(3, 20):
            try:
                os.write(number, b"\xff" * 12)
            except OSError:
                continue
        return {}
