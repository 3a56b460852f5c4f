"""Computing one run directory, from spec.json to result.json."""

from __future__ import annotations

import platform
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from core.datasets import Dataset, load_dataset
from core.errors import InputError
from core.events import Ended, Epoch, Event, Started
from core.poisoning import check_attack
from core.runs import Result, Run, State, create_run, find_run
from core.spec import RunSpec


def train_run(
    spec: RunSpec,
    root: Path | str | None = None,
    data_root: Path | str | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> Run:
    """Train a spec here and now, or return its run at once if it is done already.

    Parameters
    ----------
    spec
        What to train.
    root
        Where runs live; see `core.runs.runs_root`.
    data_root
        Where data sets live; see `core.datasets.load_dataset`.
    on_event
        Called with every event as it happens.

    Raises
    ------
    InputError
        The spec cannot be trained (nothing is written then), or another process is training it.
    """
    run = find_run(spec, root)
    if run is not None and run.result is not None:
        return run
    dataset = load_dataset(spec.dataset, data_root)
    check_attack(spec, dataset)
    run = create_run(spec, root)
    with run.locked() as mine:
        if not mine:
            raise InputError(
                f"The run {run.name} is being trained by another process: wait for it, or cancel it first."
            )
        (run.path / "cancel").unlink(missing_ok=True)
        train_locked(run, lambda _: dataset, on_event)
    return run


def train_locked(run: Run, load: Callable[[RunSpec], Dataset], on_event: Callable[[Event], None] | None = None) -> None:
    """Train a run whose lock the caller holds, writing each event.

    It ends with a result, or with an `Ended` event that says why not; only the keyboard interrupts it. A file named
    `cancel` in the run's directory ends it at the next event.
    """
    if run.result is not None:
        return
    run.begin()

    def tell(event: Event) -> None:
        run.write_event(event)
        if on_event is not None:
            on_event(event)

    try:
        _train(run, load(run.spec), tell)
    except KeyboardInterrupt:
        tell(Ended(State.CANCELLED, "stopped at the keyboard"))
        raise
    except InputError as error:
        tell(Ended(State.FAILED, str(error)))
    except Exception as error:  # a worker outlives one bad run; the page shows the sentence, the file the rest
        (run.path / "failure.txt").write_text(traceback.format_exc(), encoding="utf-8")
        tell(Ended(State.FAILED, f"{type(error).__name__}: {error}"))


def _train(run: Run, dataset: Dataset, tell: Callable[[Event], None]) -> None:
    from core.training import Finished, train

    began = time.time()
    tell(Started(began))
    last: Epoch | None = None
    for event in train(run.spec, dataset):
        if (run.path / "cancel").exists():
            tell(Ended(State.CANCELLED))
            return
        if isinstance(event, Finished):
            if last is not None:
                run.finish(event.model, _result(run.spec, dataset, last, time.time() - began))
        else:
            last = event if isinstance(event, Epoch) else last
            tell(event)


def _result(spec: RunSpec, dataset: Dataset, last: Epoch, seconds: float) -> Result:
    import torch

    return Result(
        clean_accuracy=last.clean_accuracy,
        attack_success_rate=last.attack_success_rate,
        shape=dataset.shape,
        classes=dataset.classes,
        seconds=round(seconds, 3),
        peak_memory=peak_memory(),
        torch=torch.__version__,
        processor=torch.cuda.get_device_name() if spec.device == "cuda" else platform.machine(),
    )


def peak_memory() -> int:
    """Return this process's largest resident size so far in bytes; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux: getrusage would start from the peak of the process that started this one.
        line = next((line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM")), "")
        return int(line.split()[1]) * 1024 if line else 0
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
