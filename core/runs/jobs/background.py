"""Work that workers do when no run waits in the queue, such as a study's cells.

Under the runs' root:

    .background/TIME-ID.json     one piece of work: a line that says what it is, then a line for each attempt
    .background/TIME-ID.lock     held by the worker that does it
    .background/TIME-ID.answer   what came of it, until its customer has read it
    .background/ID.customer      held by whoever wants some pieces; without it they are dropped

A worker that dies releases its lock, and another one tries again. A customer that dies leaves nothing that anybody
would do or that has to be cleaned up by hand.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from core.files import is_held, write_whole
from core.runs.jobs.last_dataset import LastDataset

# Work during which this many workers ended is given up: it may be what ends them, for instance by taking all memory.
ATTEMPTS = 3

Handler = Callable[[str, LastDataset, Callable[[], bool]], str]
"""Does one kind of work: from its content, what loads data, and whether it is still wanted, to an answer."""


@dataclass(frozen=True)
class Answer:
    """What came of a piece of work; `content` is None if it was given up after `ATTEMPTS` workers ended over it."""

    name: str
    content: str | None


class Background:
    """The pieces of work under one root, for customers who want them done and for the workers who do them."""

    def __init__(self, root: Path) -> None:
        self.folder = root / ".background"

    @contextlib.contextmanager
    def customer(self) -> Iterator[Customer]:
        """Be somebody who wants work done; what is not done in the end is withdrawn. OSError if the disk refuses."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for entry in self.entries():
            self._drop_if_unwanted(entry)
        path = self.folder / f"{uuid.uuid4().hex}.customer"
        with FileLock(path, timeout=10):
            customer = Customer(self, path.name)
            try:
                yield customer
            finally:
                customer.withdraw()
        path.unlink(missing_ok=True)

    def entries(self) -> list[Path]:
        """Return the work that is not done yet, in the order in which it is to be done."""
        return sorted(self.folder.glob("*-*.json"))

    def waiting(self) -> int:
        """Return how many pieces of work nobody does at the moment."""
        return sum(not is_held(entry.with_suffix(".lock")) for entry in self.entries())

    def work_on_next(self, handlers: Mapping[str, Handler], load: LastDataset) -> bool:
        """Do the next piece of work that nobody else does; False if there is none."""
        for entry in self.entries():
            lock = entry.with_suffix(".lock")
            try:
                with FileLock(lock, timeout=0):
                    did_it = not self._drop_if_unwanted(entry) and self._work_on(entry, handlers, load)
            except Timeout:
                continue
            if not entry.exists():
                with contextlib.suppress(OSError):  # on some systems not while another worker looks at it
                    lock.unlink()
            if did_it:
                return True
        return False

    def _work_on(self, entry: Path, handlers: Mapping[str, Handler], load: LastDataset) -> bool:
        """Do a piece of work and write its answer; False if this worker does not know how."""
        what, *attempts = entry.read_text(encoding="utf-8").splitlines()
        work = json.loads(what)
        if work["kind"] not in handlers:
            return False
        answer = Answer(entry.stem, None)
        if len(attempts) < ATTEMPTS:
            with entry.open("a", encoding="utf-8") as file:
                file.write("attempt\n")
            content = handlers[work["kind"]](work["content"], load, lambda: self._is_wanted(entry, work["customer"]))
            answer = Answer(entry.stem, content)
        if entry.exists():
            write_whole(entry.with_suffix(".answer"), json.dumps(answer.content).encode())
            entry.unlink(missing_ok=True)
        return True

    def _is_wanted(self, entry: Path, customer: str) -> bool:
        return entry.exists() and is_held(self.folder / customer)

    def _drop_if_unwanted(self, entry: Path) -> bool:
        """Remove work whose customer is gone, or that was withdrawn; return whether it was removed."""
        try:
            customer = json.loads(entry.read_text(encoding="utf-8").split("\n", 1)[0])["customer"]
        except FileNotFoundError:
            return True
        except (OSError, ValueError, KeyError, TypeError):  # nobody can say what is to be done
            customer = "nobody"
        if self._is_wanted(entry, customer):
            return False
        entry.unlink(missing_ok=True)
        for trace in (entry.with_suffix(".answer"), self.folder / customer):
            trace.unlink(missing_ok=True)
        return True


class Customer:
    """Somebody who wants work done. `Background.customer` makes one."""

    def __init__(self, background: Background, name: str) -> None:
        self.background, self.name = background, name
        self.wanted: set[str] = set()

    def put(self, kind: str, content: str) -> str:
        """Want a piece of work done; return its name."""
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
        work = {"kind": kind, "customer": self.name, "content": content}
        write_whole(self.background.folder / f"{name}.json", f"{json.dumps(work)}\n".encode())
        self.wanted.add(name)
        return name

    def answers(self) -> list[Answer]:
        """Return the answers that came since the last call."""
        answers = []
        for name in sorted(self.wanted):
            path = self.background.folder / f"{name}.answer"
            with contextlib.suppress(FileNotFoundError):
                answers.append(Answer(name, json.loads(path.read_bytes())))
                path.unlink()
                self.wanted.discard(name)
        return answers

    def withdraw(self) -> None:
        """Take back what is not done yet; what is being done ends as soon as its worker notices."""
        for name in self.wanted:
            for suffix in (".json", ".answer"):
                (self.background.folder / f"{name}{suffix}").unlink(missing_ok=True)
        self.wanted.clear()
