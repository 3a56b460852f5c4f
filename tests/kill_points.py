"""A worker that is killed at a chosen point, as often as one likes: `python -m tests.kill_points DATA`.

Everything is imported and the images are loaded once; each line on stdin then forks a process that takes the next run
from a queue, as workers do, and ends by SIGKILL at a given call of a function: counted are all calls, or those that
write the run's directory. Each line gets one on stdout that says how it ended and how many calls there were.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.datasets import Dataset

# Looking at an epoch takes most of a tiny training's time.
WATCH_DRAWS = 8
WRITING = tuple(
    f"core/{name}.py"
    for name in (
        "files",
        "training/checkpoint",
        "training/events",
        "runs/run",
        "runs/root",
        "runs/result",
        "runs/event_file",
        "runs/model_file",
        "runs/jobs/queue",
    )
)


def some_digits(data_root: Path) -> Dataset:
    """Return so few digits that an epoch takes a moment."""
    from core.benchmarks.setting import beginning
    from core.datasets import load_dataset

    return beginning(load_dataset("digits", data_root), 240)


def import_everything() -> None:
    """Import what a training needs, without going backwards: a process that has done so cannot be forked any more."""
    import safetensors.torch  # noqa: F401
    import scipy.special  # noqa: F401
    import torch

    import core.attacks.clean_label
    import core.instruments.precision
    import core.models.small_cnn
    import core.runs.jobs.queue
    import core.training.loop  # noqa: F401

    torch.set_num_threads(1)
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    torch.optim.AdamW([weight], fused=True).step()


def main() -> None:
    """Answer each line."""
    import core.runs.jobs.worker
    import core.training.watch

    data_root = Path(sys.argv[1])
    digits = some_digits(data_root)
    import_everything()
    # Every epoch's checkpoint and no line of progress: then the number of calls does not depend on the machine's load.
    core.runs.jobs.worker.CHECKPOINT_COST_RATIO, core.runs.jobs.worker.PROGRESS_LINES = 0, 1e-9
    core.training.watch.WATCH_DRAWS = WATCH_DRAWS
    for line in sys.stdin:
        order = json.loads(line)
        end, write = os.pipe()
        child = os.fork()
        if child == 0:
            counter = CallCounter(order["among"], order["kill_at"])
            work(Path(order["root"]), data_root, digits, counter)
            os.write(write, json.dumps(counter.calls).encode())
            os._exit(0)
        os.close(write)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        with os.fdopen(end, "rb") as answer:
            calls = answer.read()
        print(json.dumps({"killed": killed, "calls": json.loads(calls or "null")}), flush=True)  # noqa: T201


def work(root: Path, data_root: Path, digits: Dataset, counter: CallCounter) -> None:
    """Take the next run from the queue, counting calls."""
    from core.runs.jobs.last_dataset import LastDataset
    from core.runs.jobs.queue import Queue

    jobs, datasets = Queue(root, data_root), LastDataset(data_root)
    datasets.last = digits
    sys.setprofile(counter)
    jobs._work_on_next(datasets)
    sys.setprofile(None)


class CallCounter:
    """Counts calls in this thread, and kills the process at one of them; `kill_at` None lets it live."""

    def __init__(self, among: str, kill_at: int | None) -> None:
        self.among, self.kill_at = among, kill_at
        self.calls = {"all": 0, "writing": 0}

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Be told of a call or a return by the interpreter."""
        if event not in ("call", "c_call"):
            return
        self.calls["all"] += 1
        self.calls["writing"] += frame.f_code.co_filename.endswith(WRITING)
        if self.calls[self.among] == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
