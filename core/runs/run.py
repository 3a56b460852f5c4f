"""The run directory: the one format for everything that lasts, and the protocol between pages, workers and studies.

    spec.json           what is to be computed; its hash names the directory
    events.jsonl        what happened, appended while it happens
    checkpoint.safetensors   what a training that was stopped goes on from; gone when it is done
    model.safetensors   the trained weights, or
    model.onnx          the file of a loaded model that brings its own network
    result.json         written last, by atomic rename
    failure.txt         where in the code a training failed that should not have
    label.json          what people call it, see `core.runs.library`
    lock                held by the worker that computes it
    cancel              present when somebody asked to stop
    measures/           cached measurements

A run's state is derived from these and stored nowhere.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from core.device import Precision, choose_device
from core.errors import InputError
from core.files import is_held, newest_first, refusal, settle, write_whole
from core.identity import readable
from core.instruments.statistics import Proportion
from core.runs.loaded_spec import LoadedSpec
from core.training.checkpoint import Checkpoint, CheckpointError, read_checkpoint, stored_epoch, write_checkpoint
from core.training.events import Ended, Epoch, Event, Progress, Started, from_lines, to_line
from core.training.spec import RunSpec

if TYPE_CHECKING:
    from torch import nn

    from core.attacks.triggers import Trigger
    from core.datasets import Dataset
    from core.instruments.predictor import Predictor
    from core.models.foreign.onnx import OnnxClassifier

HASH = re.compile(r"[0-9a-f]{12}")


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


@dataclass(frozen=True)
class Result:
    """What a finished training reached, on the whole test split, and on what it was computed.

    `attack_success_rate` is None for a control, which has no trigger of its own. `seconds` is the training's wall time
    with looking at each epoch; `peak_memory` is the process's largest resident size in bytes, 0 where unknown.
    `attack_success_rate_others` is `core.instruments.evaluation.Success.others`: None but for source-specific attacks.
    `votes_in` is the fastest precision whose votes can be trusted, see `core.instruments.precision`.
    """

    clean_accuracy: Proportion
    attack_success_rate: Proportion | None
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    seconds: float
    peak_memory: int
    torch: str
    processor: str
    votes_in: Precision | None = None
    attack_success_rate_others: Proportion | None = None


class Run:
    """One run directory. Make one with `create_run`, find one with `load_run`."""

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
        """What is, or was, to be computed."""
        return _read_spec(self.path)

    @property
    def trigger(self) -> Trigger | None:
        """What its poisoned images carry; None for a control."""
        return None if self.spec.attack is None else self.spec.attack.trigger

    @property
    def result(self) -> Result | None:
        """What it reached; None until it is done. InputError if the file is damaged."""
        try:
            content = json.loads((self.path / "result.json").read_bytes())
            for name in ("clean_accuracy", "attack_success_rate", "attack_success_rate_others"):
                content[name] = Proportion(**content[name]) if content.get(name) else None
            return Result(**content | {"shape": tuple(content["shape"]), "classes": tuple(content["classes"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise InputError(
                f"The result of run {self.name} is damaged: delete its folder and train it again."
            ) from None

    @property
    def events(self) -> list[Event]:
        """What happened so far."""
        try:
            with (self.path / "events.jsonl").open(encoding="utf-8", errors="replace") as lines:
                return list(from_lines(lines))
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
        return State(last.outcome) if isinstance(last, Ended) else State.INTERRUPTED

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

    def allow(self) -> None:
        """Take back an earlier wish that it be stopped."""
        (self.path / "cancel").unlink(missing_ok=True)

    def write_event(self, event: Event) -> None:
        """Append one event, on a line of its own even after one that a crash cut off; OSError if the disk refuses."""
        with (self.path / "events.jsonl").open("ab+") as file:
            file.seek(max(0, file.tell() - 1))
            torn = file.read(1) not in (b"", b"\n")
            file.write(b"\n" * torn + to_line(event).encode())

    def begin(self, keep: int = 0) -> None:
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

    @property
    def kept_epochs(self) -> int:
        """After how many epochs a training that was stopped would go on; 0 if it would begin anew."""
        return 0 if (self.path / "result.json").exists() else stored_epoch(self._checkpoint, self.name)

    def checkpoint(self) -> Checkpoint | None:
        """Return what an earlier attempt can be continued from, if its events are there up to that epoch.

        Raises
        ------
        CheckpointError
            It is damaged, of another run, or its events are missing.
        """
        found = read_checkpoint(self._checkpoint, self.name)
        if found is not None and [each.epoch for each in self.epochs][: found.epoch] != list(range(1, found.epoch + 1)):
            raise CheckpointError("The epochs before the checkpoint are not all there, so the training began anew.")
        return found

    def keep(self, checkpoint: Checkpoint) -> None:
        """Store what a training can be continued from; OSError if the disk refuses."""
        # Whoever finds the checkpoint relies on the events before it.
        with (self.path / "events.jsonl").open("rb") as file:
            settle(file.fileno())
        write_checkpoint(self._checkpoint, checkpoint, self.name)

    @property
    def _checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"

    def finish(self, model: nn.Module, result: Result) -> None:
        """Store the weights, then the result: from then on the run is done. OSError if the disk refuses."""
        from safetensors.torch import save

        weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
        write_whole(self.path / "model.safetensors", save(weights))
        write_json(self.path / "result.json", asdict(result))
        self._checkpoint.unlink(missing_ok=True)

    def model(self) -> nn.Module | OnnxClassifier:
        """Return the trained model on images in [0, 1], in evaluation mode, on the CPU.

        One that was loaded from an ONNX file is a plain callable without gradients.

        Raises
        ------
        InputError
            The run is not done, or its weights are damaged.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from core.models.foreign.match import build_network

        result = self.result
        if result is None:
            raise InputError(
                f"The run {self.name} is {self.state.shown}, so it has no model yet: wait for it or start it again."
            )
        if isinstance(self.spec, LoadedSpec) and self.spec.interface is not None:
            from core.models.foreign.onnx import Interface, OnnxClassifier

            interface = Interface(**self.spec.interface)
            return OnnxClassifier(self.path / "model.onnx", interface, self.spec.mean, self.spec.std)
        model = build_network(self.spec.architecture, result.shape, len(result.classes))
        try:
            model.load_state_dict(load_file(self.path / "model.safetensors"))
        except (OSError, SafetensorError, RuntimeError):
            raise InputError(
                f"The weights of run {self.name} are missing or damaged: delete its folder and train it again."
            ) from None
        return model.eval()

    def predictor(self, threads: int | None = None) -> Predictor:
        """Return the model's fast form: on the device that it was trained on if this machine has it, else on the best.

        It is measured in the precision that was found fit for it.
        """
        import torch

        from core.instruments.predictor import Predictor

        device = self.spec.device if self.spec.device in ("cpu", choose_device()) else choose_device()
        model, exact = self.model(), self.result is not None and self.result.votes_in == "float32"
        return Predictor(model, device, torch.float32 if exact else None, threads)

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


def runs_root(root: Path | str | None = None) -> Path:
    """Return where runs live: the argument, else the environment's TRIGGERSCOPE_RUNS, else `runs` in this folder."""
    return Path(root or os.environ.get("TRIGGERSCOPE_RUNS") or "runs")


def create_run(spec: RunSpec | LoadedSpec, root: Path | str | None = None) -> Run:
    """Return the run of this spec, its directory made if there is none yet.

    Raises
    ------
    InputError
        The folder cannot be written.
    """
    root = runs_root(root)
    path = root / spec.hash
    if (existing := find_run(spec, root)) is not None:
        return existing
    temporary: Path | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Made whole under another name first: nobody ever sees half a run.
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
        temporary.chmod(0o755)
        write_whole(temporary / "spec.json", spec.model_dump_json(indent=1).encode())
        temporary.rename(path)
    except OSError as error:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        if (path / "spec.json").exists():  # somebody else made the same run meanwhile
            return Run(path)
        raise root_refusal(error, root) from None
    return Run(path)


def root_refusal(error: OSError, root: Path) -> InputError:
    """Return in one sentence why nothing can be stored under the runs' root, and what to do."""
    return refusal(error, root, ", or name another folder with --runs or TRIGGERSCOPE_RUNS")


def find_run(spec: RunSpec | LoadedSpec, root: Path | str | None = None) -> Run | None:
    """Return the run of this spec, if its directory exists."""
    path = runs_root(root) / spec.hash
    return Run(path) if (path / "spec.json").exists() else None


def run_named(name: str, root: Path | str | None = None) -> Run | None:
    """Return the run of exactly this name, or None: for names that come from outside, such as a link's."""
    path = runs_root(root) / name if HASH.fullmatch(name) else None
    return Run(path) if path is not None and (path / "spec.json").exists() else None


def finished_runs(root: Path | str | None = None) -> list[Run]:
    """Return the runs that can be looked at, newest first; those that are under way or damaged are left out."""
    return [run for run in list_runs(root) if _is_finished(run)]


def _is_finished(run: Run) -> bool:
    try:
        return run.spec is not None and run.result is not None
    except InputError:
        return False


def load_run(path: Path | str, root: Path | str | None = None) -> Run:
    """Return the run in a directory, or the one under `root` whose name begins with `path`.

    Raises
    ------
    InputError
        There is no such run, or its spec cannot be read.
    """
    found = [candidate for candidate in (Path(path), runs_root(root) / str(path)) if (candidate / "spec.json").exists()]
    if not found and re.fullmatch(r"[0-9a-f]{4,12}", str(path)):
        found = [run.path for run in list_runs(root) if run.name.startswith(str(path))]
        if len(found) > 1:
            raise InputError(f"{len(found)} runs begin with {path}: give more of the name.")
    if not found:
        raise InputError(
            f"{path} is not a run: a run is a directory with a spec.json, or the beginning of a name that "
            "`python -m core runs` lists."
        )
    run = Run(found[0].resolve())
    _ = run.spec
    return run


def list_runs(root: Path | str | None = None) -> list[Run]:
    """Return all runs under the root, newest first."""
    specs = newest_first(runs_root(root).glob("*/spec.json"))
    return [Run(path.parent) for path in specs if HASH.fullmatch(path.parent.name)]


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file so that readers see either all of it or what was there before."""
    write_whole(path, json.dumps(content, indent=1).encode())


def _read_spec(path: Path) -> RunSpec | LoadedSpec:
    try:
        content = (path / "spec.json").read_bytes()
        return (LoadedSpec if _is_loaded(content) else RunSpec).model_validate_json(content)
    except FileNotFoundError:
        raise InputError(f"{path} is not a run directory: it has no spec.json.") from None
    except OSError as error:
        raise InputError(
            f"The spec of run {path.name} cannot be read ({error.strerror or error}): make it readable, or delete the "
            "run's folder."
        ) from None
    except ValidationError as error:
        raise InputError(f"The spec of run {path.name} cannot be used: {readable(error)}") from None


def _is_loaded(content: bytes) -> bool:
    try:
        return json.loads(content).get("kind") == "loaded"
    except (ValueError, AttributeError, RecursionError):  # whoever validates it will say what is wrong
        return False


def remaining_seconds(events: list[Event], now: float) -> float | None:
    """Estimate how long a running training will still take; None before anything is known.

    What an earlier attempt did before it was stopped counts as done, and its time does not count.
    """
    began = next((place for place in reversed(range(len(events))) if isinstance(events[place], Started)), None)
    if began is None:
        return None
    before, since = ([_share(event) for event in part] for part in (events[:began], events[began:]))
    done = max(before, default=0.0)
    gained = max(since) - done
    return max(0.0, (now - events[began].time) * (1 - done - gained) / gained) if gained > 0 else None


def _share(event: Event) -> float:
    return event.share if isinstance(event, Progress | Epoch) else 0.0


def _until_epoch(events: list[Event], last: int) -> Iterator[Event]:
    """Yield what led to the end of an epoch, without the progress inside of epochs and how an attempt ended."""
    for event in events:
        if not isinstance(event, Progress | Ended):
            yield event
        if isinstance(event, Epoch) and event.epoch == last:
            return
