"""Results that get better while people look at them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Growing(Generic[Result]):
    """The newest of a generator's ever better results, for all who look at it: each may ask for more.

    Attributes
    ----------
    newest
        The best result so far.
    done
        Whether there will be no better one.
    """

    def __init__(self, steps: Iterator[Result]) -> None:
        self._steps, self._lock = steps, threading.Lock()
        self.newest, self.done = next(steps), False

    def advance(self, seconds: float) -> None:
        """Make better results for about so long, at least one if there is one."""
        until = time.monotonic() + seconds
        with self._lock:
            while not self.done:
                better = next(self._steps, None)
                if better is None:
                    self.done = True
                    return
                self.newest = better
                if time.monotonic() >= until:
                    return
