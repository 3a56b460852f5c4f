"""Local worker processes that compute the cells of a study side by side, and outlive neither it nor each other."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.device import available_memory, choose_device, choose_precision, cpu_count
from core.files import PROJECT
from core.studies.cell import Cell, CellResult
from core.studies.cells import failed

# A worker with torch, an optimiser and scikit-learn keeps about 0.9 GB.
MEMORY_OF_ONE = 1.2 * 2**30
# A cell whose worker is ended this often is given up: it may be what ends it, for instance by taking all memory.
ATTEMPTS = 3


def pool_size(device: str) -> int:
    """Return how many workers compute at once: one a core, fewer where memory is short, that of a GPU as well."""
    free = [available_memory(place) for place in {"cpu", device}]
    fitting = [int(memory // MEMORY_OF_ONE) for memory in free if memory is not None]
    return max(1, min([cpu_count(), *fitting]))


class LocalPool:
    """Worker processes on this machine, one thread each.

    Parameters
    ----------
    root, data_root
        Where runs and data live.
    size
        How many workers; by default as many as `pool_size` says.
    log
        File that workers write what goes wrong to; by default nowhere.

    Attributes
    ----------
    machine
        `device` and `precision` of what they compute.
    """

    def __init__(self, root: Path, data_root: Path, size: int | None = None, log: Path | None = None) -> None:
        self.root, self.data_root, self.size, self.log = root.resolve(), data_root.resolve(), size, log
        device = choose_device()
        self.machine = {"device": device, "precision": choose_precision(device)}

    def compute(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, CellResult] | None]:
        """Yield every cell with its result, in the order in which they are done, and None each second in between.

        A cell whose worker dies is computed again by a new one. Closing the generator ends the workers at once.
        """
        waiting = deque(cells)
        done: queue.Queue[tuple[Cell, CellResult]] = queue.Queue()
        size = min(self.size or pool_size(self.machine["device"]), len(cells))
        members = [_Worker(self, waiting, done) for _ in range(size)]
        try:
            for member in members:
                member.start()
            left = len(cells)
            while left:
                try:
                    answer = done.get(timeout=1.0)
                except queue.Empty:
                    yield None
                    continue
                left -= 1
                yield answer
        finally:
            waiting.clear()
            for member in members:
                member.stop()
            for member in members:
                member.join()

    def start_worker(self) -> subprocess.Popen:
        """Start a worker process; see `core.studies.cells.serve`."""
        command = [sys.executable, "-m", "core.studies.cells", str(self.root), str(self.data_root)]
        with contextlib.ExitStack() as opened:
            log = subprocess.DEVNULL if self.log is None else opened.enter_context(self.log.open("ab"))
            return subprocess.Popen(
                command,
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
            )


class _Worker(threading.Thread):
    """Hands cells to one worker process, and to a new one when that dies."""

    def __init__(self, pool: LocalPool, waiting: deque[Cell], done: queue.Queue[tuple[Cell, CellResult]]) -> None:
        super().__init__(daemon=True)
        self.pool, self.waiting, self.done = pool, waiting, done
        self.worker: subprocess.Popen | None = None
        self.stopped = threading.Event()
        self.changing = threading.Lock()

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                cell = self.waiting.popleft()
            except IndexError:
                break
            self.done.put((cell, self._compute(cell)))
        self._end_worker()

    def _compute(self, cell: Cell) -> CellResult:
        for _ in range(ATTEMPTS):
            try:
                answer = self._ask(cell)
            except OSError as error:
                reason = f"No worker process could be started ({error.strerror or error})"
                return failed(cell, f"{reason}: see to it that one can be, then start the study again.")
            if answer is not None:
                return answer
            if self.stopped.is_set():
                break
        return failed(cell, f"The worker process ended {ATTEMPTS} times while it computed this: is memory short?")

    def _ask(self, cell: Cell) -> CellResult | None:
        """Return the worker's answer, None if it died over it; OSError if it could not even be started."""
        with self.changing:
            if self.stopped.is_set():
                return None
            if self.worker is None:
                self.worker = self.pool.start_worker()
            worker = self.worker
        with contextlib.suppress(OSError, ValueError):  # a broken pipe, or half a line: it was killed
            worker.stdin.write(cell.model_dump_json() + "\n")
            worker.stdin.flush()
            return CellResult.from_json(worker.stdout.readline())
        self._end_worker()
        return None

    def stop(self) -> None:
        """End the worker, whatever it does."""
        self.stopped.set()
        with self.changing:
            if self.worker is not None:
                self.worker.terminate()

    def _end_worker(self) -> None:
        with self.changing:
            worker, self.worker = self.worker, None
        if worker is None:
            return
        for pipe in (worker.stdin, worker.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        if self.stopped.is_set():
            worker.terminate()
        worker.wait()
