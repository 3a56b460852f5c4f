"""Computing one run directory, from spec.json to result.json."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.datasets import Dataset, load_dataset
from core.device import peak_memory, processor_name
from core.errors import InputError
from core.files import is_refusal, refusal
from core.runs.result import Result
from core.runs.root import create_run, find_run
from core.runs.run import DoneRun, Run, State
from core.training.check import check_spec
from core.training.checkpoint import Checkpoint, CheckpointError
from core.training.events import Ended, Epoch, Event, Note, Progress, Started
from core.training.spec import RunSpec

if TYPE_CHECKING:
    from torch import nn

    from core.training.loop import Pause

# A checkpoint is written after an epoch if at least this many times the time that the last one took has passed.
CHECKPOINT_COST_RATIO = 30
# About this many lines of progress are written each time that a training has become e times as long.
PROGRESS_LINES = 400


def train_run(
    spec: RunSpec,
    root: Path | str | None = None,
    data_root: Path | str | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> DoneRun:
    """Train a spec here and now, or return its run at once if it is done already.

    Parameters
    ----------
    spec
        What to train.
    root
        Where runs live; see `core.runs.root.runs_root`.
    data_root
        Where data sets live; see `core.datasets.load_dataset`.
    on_event
        Called with every event as it happens.

    Raises
    ------
    InputError
        The spec cannot be trained (nothing is written then), another process is training it, it was stopped or failed
        meanwhile, or the disk is full or read-only: then what was reached before is kept, and the same call resumes
        from there.

    Examples
    --------
    >>> from core import RunSpec
    >>> run = train_run(RunSpec(dataset="digits", epochs=1))
    >>> 0 < run.result.clean_accuracy.value < 1
    True
    """
    run = find_run(spec, root)
    if run is not None and run.result is not None:
        return run.finished()
    dataset = load_dataset(spec.dataset, data_root)
    check_spec(spec, dataset)
    run = create_run(spec, root)
    with run.locked() as mine:
        if not mine:
            raise InputError(f"The run {run.name} is being trained by another process: wait for it, or stop it first.")
        run.queue()
        train_locked(run, lambda _: dataset, on_event)
    return run.finished()


def train_locked(run: Run, load: Callable[[RunSpec], Dataset], on_event: Callable[[Event], None] | None = None) -> None:
    """Train a run whose lock the caller holds, writing each event; what an earlier attempt left is continued.

    It ends with a result, or with an `Ended` event that says why not; only the keyboard interrupts it. A file named
    `cancel` in the run's directory ends it at the next event, and leaves a checkpoint.

    Raises
    ------
    InputError
        The disk is full or read-only, so that not even an event may be written; or the run's files are damaged.
    """
    if run.result is not None:
        return
    log = _EventLog(run, on_event)
    try:
        _attempt(run, load, log)
    except OSError as error:
        sentence = refusal(error, run.path)
        with contextlib.suppress(OSError):
            log.tell(Ended(State.FAILED, str(sentence)))
        raise sentence from None


def _attempt(run: Run, load: Callable[[RunSpec], Dataset], log: _EventLog) -> None:
    """Train, and write how it ended; raises OSError only where the run's directory refuses what is written there."""
    try:
        spec = run.spec
        if not isinstance(spec, RunSpec):
            raise InputError(f"The run {run.name} is a loaded model, which cannot be trained: choose another run.")
        _train(run, spec, load(spec), log)
    except KeyboardInterrupt:
        log.tell(Ended(State.CANCELLED, "stopped at the keyboard"))
        raise
    except InputError as error:
        log.tell(Ended(State.FAILED, str(error)))
    except Exception as error:  # a worker outlives one bad run; the page shows the sentence, the file the rest
        if is_refusal(error):
            raise
        (run.path / "failure.txt").write_text(traceback.format_exc(), encoding="utf-8")
        log.tell(Ended(State.FAILED, f"{type(error).__name__}: {error}"))


class _EventLog:
    """Writes a run's events and passes them on to a listener. Progress is thinned out, so that the file stays small."""

    def __init__(self, run: Run, on_event: Callable[[Event], None] | None) -> None:
        self.run, self.on_event = run, on_event
        self.began = self.wrote = time.monotonic()

    def tell(self, event: Event) -> None:
        now = time.monotonic()
        # After an hour a line every nine seconds is as good as four a second were at first.
        if not isinstance(event, Progress) or now - self.wrote > (now - self.began) / PROGRESS_LINES:
            self.run.write_event(event)
            self.wrote = now
        if self.on_event is not None:
            self.on_event(event)


class _Checkpointer:
    """Stores checkpoints of a run while that costs little."""

    def __init__(self, run: Run) -> None:
        self.run, self.cost, self.refused = run, 0.0, False
        self.kept = time.perf_counter()

    def save(self, pause: Pause, at_once: bool) -> Note | None:
        """Store a checkpoint if that is cheap enough, or if it is the last chance; return what people should know."""
        began = time.perf_counter()
        if not at_once and began - self.kept < CHECKPOINT_COST_RATIO * self.cost:
            return None
        note = None
        try:
            self.run.save_checkpoint(pause.checkpoint())
        except OSError as error:
            reason = error.strerror or str(error)
            text = f"No checkpoint could be written ({reason}): if this training is stopped, it has to start again."
            note, self.refused = None if self.refused else Note(text), True
        self.kept = time.perf_counter()
        self.cost = self.kept - began
        return note


def _train(run: Run, spec: RunSpec, dataset: Dataset, log: _EventLog) -> None:
    note = ""
    try:
        checkpoint = run.checkpoint()
    except CheckpointError as error:
        checkpoint, note = None, str(error)
    try:
        _follow(run, spec, dataset, log, checkpoint, note)
    except CheckpointError as error:  # it suits its run by name, but not by what is in it
        _follow(run, spec, dataset, log, None, str(error))


def _follow(
    run: Run, spec: RunSpec, dataset: Dataset, log: _EventLog, checkpoint: Checkpoint | None, note: str
) -> None:
    """Train from a checkpoint, or from the beginning, and write what happens."""
    import torch

    from core.training.loop import Finished, Pause, train

    done = checkpoint.epoch if checkpoint else 0
    if checkpoint is not None and checkpoint.torch != torch.__version__:
        note = (
            f"This training began with torch {checkpoint.torch} and is resumed with {torch.__version__}: its weights "
            "may differ in their last bits from those of an undisturbed one."
        )
    run.start(keep=done)
    earlier, began = run.epochs, time.time()
    log.tell(Started(began, done))
    if note:
        log.tell(Note(note))
    last, checkpointer = earlier[-1] if earlier else None, _Checkpointer(run)
    for event in train(spec, dataset, checkpoint):
        cancelled = run.is_cancelled()
        if isinstance(event, Pause):
            if (refused := checkpointer.save(event, at_once=cancelled)) is not None:
                log.tell(refused)
        elif isinstance(event, Finished):
            if last is not None:
                seconds = sum(epoch.seconds for epoch in earlier) + time.time() - began
                run.complete(event.model, _result(spec, dataset, last, event.model, seconds))
            return
        else:
            last = event if isinstance(event, Epoch) else last
            log.tell(event)
        if cancelled and not isinstance(event, Epoch):  # after an epoch comes what can be continued from it
            log.tell(Ended(State.CANCELLED))
            return


def _result(spec: RunSpec, dataset: Dataset, last: Epoch, model: nn.Module, seconds: float) -> Result:
    import torch

    from core.instruments.precision import trusted_precision

    return Result(
        clean_accuracy=last.clean_accuracy,
        attack_success_rate=last.attack_success_rate,
        attack_success_rate_others=last.attack_success_rate_others,
        shape=dataset.shape,
        classes=dataset.classes,
        seconds=round(seconds, 3),
        peak_memory=peak_memory(),
        torch=torch.__version__,
        processor=processor_name(spec.device),
        votes_in=trusted_precision(spec.architecture, model, dataset.test, spec.device),
    )
