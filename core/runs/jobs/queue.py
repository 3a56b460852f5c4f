"""The one queue of this machine: runs that people wait for come first, then work in the background.

Under the runs' root:

    .queue/TIME-RUN     runs that wait, oldest first
    .background/        what is done when no run waits, such as a study's cells; see `core.runs.jobs.background`
    .workers/slot-N     locks that limit how many workers there are, across pages, servers and restarts
    .workers/run-N      locks that limit how many of them train a run that was queued
    .servers/ID         a lock that each living server holds; without any, idle workers leave

Workers are processes of their own session: a server's end, a crash or a reload does not touch them.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from core.device import available_memory, choose_device, cpu_count, default_threads
from core.errors import InputError
from core.files import is_held
from core.runs.jobs.background import Background, Handler
from core.runs.jobs.last_dataset import LastDataset
from core.runs.jobs.process import start_core
from core.runs.jobs.worker import train_locked
from core.runs.root import create_run, find_run, list_runs, root_refusal
from core.runs.run import Run, State
from core.training.events import Ended
from core.training.spec import RunSpec

# How many runs may wait: more is somebody's mistake, and would take days.
QUEUE_LIMIT = 50
# A worker with torch, an optimiser and scikit-learn keeps about 0.9 GB.
MEMORY_FOR_TWO, MEMORY_OF_ONE = 3 * 2**30, 1.2 * 2**30
IDLE_SECONDS = 3.0


def worker_slots() -> int:
    """Return how many may train at once: two if their threads have a core each (or a GPU) and memory is not short."""
    fitting = max(1, cpu_count() // default_threads()) if choose_device() == "cpu" else 2
    return 1 if available_memory() < MEMORY_FOR_TWO else min(2, fitting)


def pool_size(device: str, working: int = 0) -> int:
    """Return how many workers may work in the background, those that work already among them.

    One a core, fewer where memory is short, that of a GPU as well.
    """
    fitting = [working + int(available_memory(place) // MEMORY_OF_ONE) for place in {"cpu", device}]
    return max(1, min([cpu_count(), *fitting]))


class Queue:
    """Submit, stop and watch trainings whose runs live under one root, and see to it that there are workers.

    Attributes
    ----------
    background
        Work that is done when no run waits.
    crashes
        How many workers that were started here ended by an error, since this was last set to 0.
    """

    def __init__(self, root: Path, data_root: Path) -> None:
        self.root, self.data_root = root.resolve(), data_root.resolve()
        self.queue, self.workers, self.servers = (self.root / name for name in (".queue", ".workers", ".servers"))
        self.background, self.crashes = Background(self.root), 0
        self._presence: FileLock | None = None
        self._started: list[subprocess.Popen] = []

    def prepare(self) -> None:
        """Make the folders that the queue needs."""
        try:
            for folder in (self.queue, self.workers, self.servers):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise root_refusal(error, self.root) from None

    def submit(self, spec: RunSpec) -> Run:
        """Queue a spec for training and see to it that a worker is there; a run that is done stays as it is.

        A run that was stopped goes on from its checkpoint. One that waits already keeps its place.

        Raises
        ------
        InputError
            The queue is full, the disk is full, or the folder cannot be written; nothing is queued then. A spec that
            does not suit its data set ends as failed.
        """
        return self._submit([spec])[0]

    def submit_with_control(self, spec: RunSpec) -> Run:
        """Queue a run and its control beside it: both or none; return the run. See `submit`."""
        return self._submit([spec] if spec.is_control else [spec, spec.control()])[0]

    def _submit(self, specs: list[RunSpec]) -> list[Run]:
        self.prepare()
        known = [find_run(spec, self.root) for spec in specs]
        under_way = (State.DONE, State.RUNNING, State.QUEUED)
        new = sum(run is None or run.state not in under_way for run in known)
        waiting = len(self.waiting())
        if new and waiting + new > QUEUE_LIMIT:
            raise InputError(f"{waiting} trainings are waiting already: let some finish, or stop them, first.")
        runs = [create_run(spec, self.root) for spec in specs]
        for run in runs:
            if run.state is not State.DONE:
                run.check_writable()
        try:
            for run in runs:
                self._enqueue(run)
        except OSError as error:
            raise root_refusal(error, self.root) from None
        self.ensure_workers()
        return runs

    def _enqueue(self, run: Run) -> None:
        """Let a run wait, unless it is done, under way, or waits already."""
        state, stopping = run.state, run.is_cancelled()
        if state is State.DONE or (state is State.RUNNING and not stopping):
            return
        run.queue()
        if not self._entries(run):
            # One that is about to stop waits too. Should its worker not stop after all, nothing will be left to do.
            (self.queue / f"{time.time_ns():020d}-{run.name}").touch()

    def cancel(self, run: Run) -> None:
        """Take a run out of the queue, or ask its worker to stop at the next event. What it reached is kept."""
        if run.state is State.DONE:
            return
        (run.path / "cancel").touch()
        entries = self._entries(run)
        for entry in entries:
            entry.unlink(missing_ok=True)
        if entries and not run.is_locked():
            run.write_event(Ended(State.CANCELLED))

    def cancel_with_control(self, run: Run) -> None:
        """Cancel a run, and its control unless another run that waits or is trained has the same one. See `cancel`."""
        self.cancel(run)
        control = run.control()
        if control is not None and not self._is_wanted(control):
            self.cancel(control)

    def _is_wanted(self, control: Run) -> bool:
        """Say whether a run that waits or is trained, and is not about to stop, is to be compared with this control."""
        moving = (
            each
            for each in list_runs(self.root)
            if each.name != control.name and each.state in (State.QUEUED, State.RUNNING) and not each.is_cancelled()
        )
        return any(_control_name(each) == control.name for each in moving)

    def waiting(self) -> list[Path]:
        """Return the queue's entries in the order in which they are taken."""
        return sorted(self.queue.glob("*-*"))

    def position(self, run: Run) -> int | None:
        """Return a run's place in the queue, from 1 for the next one; None if it does not wait."""
        names = [_run_name(entry) for entry in self.waiting()]
        return names.index(run.name) + 1 if run.name in names else None

    def _entries(self, run: Run) -> list[Path]:
        return sorted(self.queue.glob(f"*-{run.name}"))

    def ensure_workers(self) -> None:
        """Start a worker for whatever waits, as far as there are slots, and always keep one warm.

        Raises
        ------
        OSError
            No process can be started, or its log cannot be written.
        """
        working, waiting, slots = self.working(), len(self.waiting()), worker_slots()
        if background := self.background.waiting():
            slots = max(slots, pool_size(choose_device(), working))
        # Those just started have no slot yet; asking them also lets the system forget those that ended.
        self.crashes += sum((worker.poll() or 0) > 0 for worker in self._started)
        self._started = [worker for worker in self._started if worker.poll() is None]
        wanted = max(1, min(slots, working + waiting + background))
        for _ in range(wanted - max(working, len(self._started))):
            self._start_worker()

    def working(self) -> int:
        """Return how many workers there are."""
        return sum(is_held(self.workers / f"slot-{slot}") for slot in range(_all_slots()))

    def _start_worker(self) -> None:
        command = ["work", "--runs", str(self.root), "--data-root", str(self.data_root)]
        self._started.append(start_core(command, self.workers / "log.txt"))

    def join_as_server(self) -> None:
        """Tell workers that a server lives, by a lock held from now on until this process ends."""
        self.prepare()
        self._presence = FileLock(self.servers / f"{os.getpid()}-{uuid.uuid4().hex[:8]}", timeout=0)
        self._presence.acquire()

    def any_server(self) -> bool:
        """Say whether a server lives; forgets those that ended."""
        for path in self.servers.glob("*"):
            if is_held(path):
                return True
            path.unlink(missing_ok=True)
        return False

    def serve(self, handlers: Mapping[str, Handler]) -> None:
        """Be a worker: take runs from the queue, oldest first, else work in the background, until nothing is left.

        While a server lives, as many workers as may train runs stay for the next one.

        Parameters
        ----------
        handlers
            What does the work in the background, by its kind.
        """
        self.prepare()
        with contextlib.ExitStack() as held:
            slot = self._take_slot(held)
            if slot is None:
                return
            if hasattr(os, "nice"):
                os.nice(10)  # the page comes first
            warm_up()
            load, idle_since = LastDataset(self.data_root), time.monotonic()
            while time.monotonic() - idle_since < IDLE_SECONDS or (slot < worker_slots() and self.any_server()):
                if self._work_on_a_run(load) or self._work_in_background(slot, handlers, load):
                    idle_since = time.monotonic()
                else:
                    time.sleep(0.05)

    def _take_slot(self, held: contextlib.ExitStack) -> int | None:
        for slot in range(_all_slots()):
            lock = FileLock(self.workers / f"slot-{slot}", timeout=0.2)
            with contextlib.suppress(Timeout):
                held.enter_context(lock)
                return slot
        return None

    def _work_on_a_run(self, load: LastDataset) -> bool:
        """Train the next run, unless as many are trained as there is room for."""
        if not self.waiting():
            return False
        with self._room_for_a_run() as room:
            return room and self._work_on_next(load)

    @contextlib.contextmanager
    def _room_for_a_run(self) -> Iterator[bool]:
        for place in range(worker_slots()):
            lock = FileLock(self.workers / f"run-{place}", timeout=0)
            try:
                lock.acquire()
            except Timeout:
                continue
            try:
                yield True
            finally:
                lock.release()
            return
        yield False

    def _work_in_background(self, slot: int, handlers: Mapping[str, Handler], load: LastDataset) -> bool:
        """Do the next work in the background, if the trainings of queued runs leave this worker a core."""
        training = sum(is_held(self.workers / f"run-{place}") for place in range(2))
        cores = cpu_count() - (default_threads() - 1) * training
        return slot < max(1, cores) and self.background.work_on_next(handlers, load)

    def _work_on_next(self, load: LastDataset) -> bool:
        """Train the next run that nobody else trains; False if there is none."""
        for entry in self.waiting():
            run = Run(self.root / _run_name(entry))
            try:
                if _take_and_train(run, entry, load):
                    return True
            except InputError as error:  # it cannot even be written why: the next one may do better
                entry.unlink(missing_ok=True)
                print(f"{run.name}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        return False


def _take_and_train(run: Run, entry: Path, load: LastDataset) -> bool:
    """Train a run that waits; False if somebody else trains it, or it does not wait any more."""
    if not (run.path / "spec.json").exists():  # it was deleted meanwhile
        entry.unlink(missing_ok=True)
        return False
    # The run's lock is taken before its entry goes, so that it is queued or running at every moment.
    with run.locked(timeout=0.2) as mine:
        if not mine:
            return False
        try:
            entry.unlink()
        except FileNotFoundError:  # another worker was faster, or it was cancelled
            return False
        train_locked(run, load)
    return True


def _all_slots() -> int:
    return max(2, cpu_count())


def _run_name(entry: Path) -> str:
    return entry.name.rsplit("-", 1)[-1]


def _control_name(run: Run) -> str | None:
    """Return the name of a run's control; None for a loaded model, and for a run whose spec is damaged."""
    with contextlib.suppress(InputError):
        if isinstance(run.spec, RunSpec):
            return run.spec.control().hash
    return None


def warm_up() -> None:
    """Import what a training needs and make one step: the first optimiser alone imports a second's worth of modules."""
    import torch

    import core.training.loop  # noqa: F401

    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.AdamW([weight], fused=True)
    weight.sum().backward()
    optimiser.step()
