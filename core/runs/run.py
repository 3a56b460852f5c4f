"""The run directory: the one format for everything that lasts, and the protocol between pages, workers and studies.

    spec.json                what is to be computed, and the directory's format; the spec's hash names the directory
    events.jsonl             what happened, appended while it happens
    checkpoint.safetensors   what a stopped training resumes from; gone when it is done
    model.safetensors        the trained weights, or
    model.onnx               the file of a loaded model that brings its own network
    result.json              written last, by atomic rename
    failure.txt              where in the code a training failed that should not have
    label.json               what people call it, see `core.runs.library.label`
    lock                     held by the worker that computes it
    cancel                   present when somebody asked to stop
    measures/                results that are kept with the run, see `core.runs.measured.cache`

A run's state is derived from these and stored nowhere. `core.runs.root` makes and finds runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError
from core.files import is_held, refusal, settle, write_whole
from core.runs.event_file import read_events, to_line
from core.runs.loaded_spec import LoadedSpec
from core.runs.model_file import make_predictor, read_model, write_model
from core.runs.result import Result, read_result, write_result
from core.runs.spec_file import read_spec
from core.training.checkpoint import Checkpoint, CheckpointError, read_checkpoint, write_checkpoint
from core.training.events import Ended, Epoch, Event, Progress
from core.training.spec import RunSpec

if TYPE_CHECKING:
    from torch import nn

    from core.attacks.triggers import AnyTrigger
    from core.datasets import Dataset
    from core.instruments.predictor import Predictor
    from core.models.foreign.onnx_model import OnnxClassifier


class State(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def shown(self) -> str:
        """How people read it: as the button says that ends a training."""
        return "stopped" if self is State.CANCELLED else self.value


_ENDINGS = {str(state): state for state in (State.CANCELLED, State.FAILED)}


class Run:
    """One run directory. Make one with `core.runs.root.create_run`, find one with `core.runs.root.load_run`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Run({self.name}, {self.state})"

    @property
    def name(self) -> str:
        """The hash of its spec."""
        return self.path.name

    @cached_property
    def spec(self) -> RunSpec | LoadedSpec:
        """What is, or was, to be computed. InputError if it is damaged."""
        return read_spec(self.path)

    @property
    def trigger(self) -> AnyTrigger | None:
        """What its poisoned images carry; None for a control."""
        return None if self.spec.attack is None else self.spec.attack.trigger

    @property
    def result(self) -> Result | None:
        """What it reached; None until it is done. InputError if the file is damaged."""
        return read_result(self.path)

    def finished(self) -> DoneRun:
        """Return this run as one that is done.

        Raises
        ------
        InputError
            It is not done, or its result is damaged.
        """
        if (result := self.result) is not None:
            return DoneRun(self.path, result)
        ended = next(reversed(self.events), None)
        reason = f" ({ended.reason.rstrip('.')})" if isinstance(ended, Ended) and ended.reason else ""
        raise InputError(
            f"The run {self.name} is {self.state.shown}{reason}, so it has no model yet: wait for it or start it again."
        )

    @property
    def events(self) -> list[Event]:
        """What happened so far."""
        try:
            with (self.path / "events.jsonl").open("rb") as file:
                return list(read_events(file))
        except FileNotFoundError:
            return []

    @property
    def epochs(self) -> list[Epoch]:
        """The epochs that are done."""
        return [event for event in self.events if isinstance(event, Epoch)]

    @property
    def state(self) -> State:
        """Where it stands, derived from the directory."""
        if (self.path / "result.json").exists():
            return State.DONE
        if self.is_locked():
            return State.RUNNING
        if self.is_queued():
            return State.QUEUED
        last = next(reversed(self.events), None)
        return _ENDINGS.get(last.outcome, State.INTERRUPTED) if isinstance(last, Ended) else State.INTERRUPTED

    def is_queued(self) -> bool:
        """Say whether it waits for a worker."""
        return any((self.path.parent / ".queue").glob(f"*-{self.name}"))

    def is_locked(self) -> bool:
        """Say whether a living process computes it."""
        return is_held(self.path / "lock")

    @contextmanager
    def locked(self, timeout: float = 1.0) -> Iterator[bool]:
        """Hold the run's lock; yields False if another process keeps it longer than `timeout` seconds.

        Raises
        ------
        InputError
            The run's directory cannot be written.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / "lock", timeout=timeout)
        try:
            lock.acquire(poll_interval=0.01)
        except Timeout:
            yield False
            return
        except OSError as error:
            raise refusal(error, self.path) from None
        try:
            yield True
        finally:
            lock.release()

    def check_writable(self) -> None:
        """Raise InputError if nothing can be stored in its directory."""
        probe = self.path / f"{os.getpid()}.new"
        try:
            probe.touch()
            probe.unlink(missing_ok=True)  # another thread's may be the same
        except OSError as error:
            raise refusal(error, self.path) from None

    def is_cancelled(self) -> bool:
        """Say whether somebody asked its worker to stop."""
        return (self.path / "cancel").exists()

    def queue(self) -> None:
        """Make ready to wait for a worker: an earlier wish that it be stopped no longer counts."""
        (self.path / "cancel").unlink(missing_ok=True)

    def start(self, keep: int = 0) -> None:
        """Make ready for an attempt: keep the first `keep` epochs of earlier ones, and forget everything after them.

        With 0 the checkpoint is forgotten too, and the training begins anew.
        """
        for partial in self.path.glob("*.new"):  # what a killed attempt was writing
            partial.unlink(missing_ok=True)
        if keep == 0:
            self._checkpoint.unlink(missing_ok=True)
            (self.path / "events.jsonl").unlink(missing_ok=True)
            return
        lines = [to_line(event) for event in _until_epoch(self.events, keep)]
        write_whole(self.path / "events.jsonl", "".join(lines).encode())

    def write_event(self, event: Event) -> None:
        """Append one event, on a line of its own even after one that a crash cut off; OSError if the disk refuses."""
        with (self.path / "events.jsonl").open("ab+") as file:
            file.seek(max(0, file.tell() - 1))
            torn = file.read(1) not in (b"", b"\n")
            file.write(b"\n" * torn + to_line(event).encode())

    def checkpoint(self) -> Checkpoint | None:
        """Return what an earlier attempt can be resumed from, if its events are there up to that epoch.

        Raises
        ------
        CheckpointError
            It is damaged, of another run, or its events are missing.
        """
        stored = read_checkpoint(self._checkpoint, self.name)
        if stored is None:
            return None
        if [epoch.epoch for epoch in self.epochs][: stored.epoch] != list(range(1, stored.epoch + 1)):
            raise CheckpointError("The epochs before the checkpoint are not all there, so the training began anew.")
        return stored

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Store what a training can be resumed from; OSError if the disk refuses."""
        # Whoever finds the checkpoint relies on the events before it.
        with (self.path / "events.jsonl").open("rb") as file:
            settle(file.fileno())
        write_checkpoint(self._checkpoint, checkpoint, self.name)

    @property
    def _checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"

    def complete(self, model: nn.Module | bytes, result: Result) -> None:
        """Store the model, then the result: from then on the run is done. OSError if the disk refuses.

        Parameters
        ----------
        model
            The trained network, or the content of the ONNX file that a model was loaded from.
        result
            What it reached.
        """
        write_model(self.path, model)
        write_result(self.path, result)
        self._checkpoint.unlink(missing_ok=True)

    def dataset(self, data_root: Path | str | None = None) -> Dataset:
        """Return the data set that it was trained on."""
        from core.datasets import load_dataset

        return load_dataset(self.spec.dataset, data_root)

    def control(self) -> Run | None:
        """Return the same training without poison, if it exists beside this run; a control is its own.

        A model that was loaded from a file has none: nobody knows how it was trained.
        """
        if isinstance(self.spec, LoadedSpec):
            return None
        path = self.path.parent / self.spec.control().hash
        return Run(path) if (path / "spec.json").exists() else None


class DoneRun(Run):
    """A run that is done, so that it has a result and a model. `Run.finished` returns it."""

    def __init__(self, path: Path, result: Result) -> None:
        super().__init__(path)
        self._result = result

    @property
    def result(self) -> Result:
        """What it reached."""
        return self._result

    def finished(self) -> DoneRun:
        """Return this run."""
        return self

    def model(self) -> nn.Module | OnnxClassifier:
        """Return the trained model on images in [0, 1], in evaluation mode, on the CPU.

        One that was loaded from an ONNX file is a plain callable without gradients.

        Raises
        ------
        InputError
            Its file is missing or damaged.
        """
        return read_model(self.path, self.spec, self.result)

    def predictor(self, threads: int | None = None) -> Predictor:
        """Return the model's fast form: on the device that it was trained on if this machine has it, else on the best.

        It is measured in the precision that was found fit for it. Raises InputError as `model` does.
        """
        return make_predictor(self.model(), self.spec, self.result, threads)


def _until_epoch(events: list[Event], last: int) -> Iterator[Event]:
    """Yield what led to the end of an epoch, without the progress inside epochs and how an attempt ended."""
    for event in events:
        if not isinstance(event, Progress | Ended):
            yield event
        if isinstance(event, Epoch) and event.epoch == last:
            return
