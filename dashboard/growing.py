"""Results that get better while people look at them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Generic, TypeVar

from core.errors import InputError

Result = TypeVar("Result")


class Growing(Generic[Result]):
    """The newest of a generator's ever better results, for all who look at it: each may ask for more.

    Attributes
    ----------
    newest
        The best result so far.
    done
        Whether there will be no better one.
    problem
        Why it ended early, in a sentence for people; "" otherwise.
    """

    def __init__(self, steps: Iterator[Result]) -> None:
        self._steps, self._lock = steps, threading.Lock()
        self.newest, self.done, self.problem = next(steps), False, ""

    def advance(self, seconds: float) -> None:
        """Make better results for about so long, at least one if there is one."""
        until = time.monotonic() + seconds
        with self._lock:
            while not self.done:
                try:
                    self.newest = next(self._steps)
                except StopIteration:
                    self.done = True
                except InputError as error:
                    self.done, self.problem = True, str(error)
                if time.monotonic() >= until:
                    return
