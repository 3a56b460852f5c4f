"""The run directory: the one format for everything that lasts, and the protocol between pages, workers and studies.

    spec.json           what is to be computed; its hash names the directory
    events.jsonl        what happened, appended while it happens
    model.safetensors   the trained weights
    result.json         written last, by atomic rename
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

from core.errors import InputError
from core.events import Ended, Epoch, Event, Progress, Started, from_lines, to_line
from core.spec import RunSpec, readable
from core.statistics import Proportion

if TYPE_CHECKING:
    from torch import nn

    from core.datasets import Dataset
    from core.triggers import Trigger

HASH = re.compile(r"[0-9a-f]{12}")


class State(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Result:
    """What a finished training reached, on the whole test split, and on what it was computed.

    `attack_success_rate` is None for a control, which has no trigger of its own. `seconds` is the training's wall time
    with looking at each epoch; `peak_memory` is the process's largest resident size in bytes, 0 where unknown.
    """

    clean_accuracy: Proportion
    attack_success_rate: Proportion | None
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    seconds: float
    peak_memory: int
    torch: str
    processor: str


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
    def spec(self) -> RunSpec:
        """What is, or was, to be computed."""
        return _read_spec(self.path)

    @property
    def trigger(self) -> Trigger | None:
        """What its poisoned images carry; None for a control."""
        return self.spec.trigger

    @property
    def result(self) -> Result | None:
        """What it reached; None until it is done. InputError if the file is damaged."""
        try:
            content = json.loads((self.path / "result.json").read_text(encoding="utf-8"))
            for name in ("clean_accuracy", "attack_success_rate"):
                content[name] = Proportion(**content[name]) if content[name] else None
            return Result(**content | {"shape": tuple(content["shape"]), "classes": tuple(content["classes"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InputError(
                f"The result of run {self.name} is damaged: delete its folder and train it again."
            ) from None

    @property
    def events(self) -> list[Event]:
        """What happened so far."""
        try:
            with (self.path / "events.jsonl").open(encoding="utf-8") as lines:
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
        from filelock import FileLock, Timeout

        if not (self.path / "lock").exists():
            return False
        try:
            with FileLock(self.path / "lock", timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a read-only copy: nobody can be computing it
            return False

    @contextmanager
    def locked(self, timeout: float = 1.0) -> Iterator[bool]:
        """Hold the run's lock; yields False if another process keeps it longer than `timeout` seconds."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / "lock", timeout=timeout)
        try:
            lock.acquire(poll_interval=0.01)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def write_event(self, event: Event) -> None:
        """Append one event."""
        with (self.path / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(to_line(event))

    def begin(self) -> None:
        """Forget an earlier attempt's events and start anew."""
        (self.path / "events.jsonl").unlink(missing_ok=True)

    def finish(self, model: nn.Module, result: Result) -> None:
        """Store the weights, then the result: from then on the run is done."""
        from safetensors.torch import save_file

        weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
        temporary = self.path / "model.safetensors.new"
        save_file(weights, temporary)
        temporary.chmod(0o644)  # it is made readable for its owner only, unlike the files beside it
        temporary.replace(self.path / "model.safetensors")
        write_json(self.path / "result.json", asdict(result))

    def model(self) -> nn.Module:
        """Return the trained model on images in [0, 1], in evaluation mode, on the CPU.

        Raises
        ------
        InputError
            The run is not done, or its weights are damaged.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from core.models import build_model

        result = self.result
        if result is None:
            raise InputError(
                f"The run {self.name} is {self.state}, so it has no model yet: wait for it or start it again."
            )
        model = build_model(self.spec.architecture, result.shape, len(result.classes))
        try:
            model.load_state_dict(load_file(self.path / "model.safetensors"))
        except (OSError, SafetensorError, RuntimeError):
            raise InputError(
                f"The weights of run {self.name} are missing or damaged: delete its folder and train it again."
            ) from None
        return model.eval()

    def dataset(self, data_root: Path | str | None = None) -> Dataset:
        """Return the data set that it was trained on."""
        from core.datasets import load_dataset

        return load_dataset(self.spec.dataset, data_root)

    def control(self) -> Run | None:
        """Return the same training without poison, if it exists beside this run; a control is its own."""
        path = self.path.parent / self.spec.control().hash
        return Run(path) if (path / "spec.json").exists() else None


def runs_root(root: Path | str | None = None) -> Path:
    """Return where runs live: the argument, else the environment's TRIGGERSCOPE_RUNS, else `runs` in this folder."""
    return Path(root or os.environ.get("TRIGGERSCOPE_RUNS") or "runs")


def create_run(spec: RunSpec, root: Path | str | None = None) -> Run:
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
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Made whole under another name first: nobody ever sees half a run.
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
    except OSError as error:
        raise InputError(
            f"Runs cannot be stored in {root} ({error.strerror or error}): name a folder that can be written with "
            "--runs or TRIGGERSCOPE_RUNS."
        ) from None
    temporary.chmod(0o755)
    (temporary / "spec.json").write_text(spec.model_dump_json(indent=1), encoding="utf-8")
    try:
        temporary.rename(path)
    except OSError:  # somebody else made the same run meanwhile
        shutil.rmtree(temporary)
    return Run(path)


def find_run(spec: RunSpec, root: Path | str | None = None) -> Run | None:
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
    paths = [path.parent for path in runs_root(root).glob("*/spec.json") if HASH.fullmatch(path.parent.name)]
    return [Run(path) for path in sorted(paths, key=lambda path: -(path / "spec.json").stat().st_mtime)]


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file so that readers see either all of it or what was there before."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
    temporary.replace(path)


def _read_spec(path: Path) -> RunSpec:
    try:
        return RunSpec.model_validate_json((path / "spec.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is not a run directory: it has no spec.json.") from None
    except ValidationError as error:
        raise InputError(f"The spec of run {path.name} cannot be used: {readable(error)}") from None


def remaining_seconds(events: list[Event], now: float) -> float | None:
    """Estimate how long a running training will still take; None before anything is known."""
    started = next((event for event in events if isinstance(event, Started)), None)
    last = next((event for event in reversed(events) if isinstance(event, Progress | Epoch)), None)
    if started is None or last is None or last.share <= 0:
        return None
    return max(0.0, (now - started.time) * (1 - last.share) / last.share)
