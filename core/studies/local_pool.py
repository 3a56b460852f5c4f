"""The cells of a study computed by this machine's workers, in the background of its queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from core.device import choose_device, choose_precision, torch_threads
from core.runs.jobs.background import ATTEMPTS, Answer, Customer
from core.runs.jobs.last_dataset import LastDataset
from core.runs.jobs.queue import Queue
from core.studies.cell import Cell, CellResult
from core.studies.cells import compute_cell, failed

KIND = "cell"
"""What this work is called in the background of the queue."""

POLL_SECONDS = 0.1


class LocalPool:
    """The workers of this machine's queue, one thread each.

    Parameters
    ----------
    root, data_root
        Where runs and data live.

    Attributes
    ----------
    machine
        `device` and `precision` of what they compute.
    """

    def __init__(self, root: Path, data_root: Path) -> None:
        self.jobs = Queue(root, data_root)
        device = choose_device()
        self.machine = {"device": device, "precision": choose_precision(device)}

    def compute(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, CellResult] | None]:
        """Yield every cell with its result, in the order in which they are done, and None each second in between.

        A cell whose worker dies is computed again by another one. Closing the generator withdraws the rest; a training
        that is being computed stops at its next event.

        Raises
        ------
        InputError
            The folder of the runs cannot be written.
        """
        self.jobs.prepare()
        with self.jobs.background.customer() as customer:
            cell_named = {customer.put(KIND, cell.model_dump_json()): cell for cell in cells}
            while cell_named:
                if problem := self._ensure_workers():
                    for cell in cell_named.values():
                        yield cell, failed(cell, problem)
                    return
                answers = self._wait_for_answers(customer, seconds=1.0)
                for answer in answers:
                    self.jobs.crashes = 0
                    yield (cell := cell_named.pop(answer.name)), _result(cell, answer)
                if not answers:
                    yield None

    def _ensure_workers(self) -> str:
        """See to it that there are workers; return why there are none and never will be, else ""."""
        try:
            self.jobs.ensure_workers()
        except OSError as error:
            if not self.jobs.working():
                reason = f"No worker process could be started ({error.strerror or error})"
                return f"{reason}: see to it that one can be, then start the study again."
        if self.jobs.crashes >= ATTEMPTS and not self.jobs.working():
            log = self.jobs.workers / "log.txt"
            return f"The worker processes ended as soon as they were started: see {log}, then start the study again."
        return ""

    @staticmethod
    def _wait_for_answers(customer: Customer, seconds: float) -> list[Answer]:
        until = time.monotonic() + seconds
        while not (answers := customer.answers()) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        return answers


def _result(cell: Cell, answer: Answer) -> CellResult:
    if answer.content is None:
        return failed(cell, f"The worker process ended {ATTEMPTS} times while it computed this: is memory short?")
    return CellResult.from_json(answer.content)


def work_on_cell(root: Path, content: str, load: LastDataset, is_wanted: Callable[[], bool]) -> str:
    """Compute a cell in a worker of the queue; a handler for `core.runs.jobs.queue.Queue.serve`."""
    with torch_threads(1):
        return compute_cell(Cell.model_validate_json(content), root, load, is_wanted).to_json()
