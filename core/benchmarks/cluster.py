"""How well two workers of a Dask cluster on this machine share equal cells: `python -m core.benchmarks.cluster`.

Efficiency is the time that one worker takes for a number of equal cells, over twice the time that two take. The turns
alternate and medians count. Needs requirements-cluster.txt, and two cores for the answer to mean anything.
"""

from __future__ import annotations

import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from core.datasets import data_folder
from core.files import PROJECT
from core.studies.cluster import Cluster
from core.studies.folder import SHIPPED
from core.studies.grid import read_study
from core.studies.plan import plan_cells

TURNS, CELLS = 3, 8
PATIENCE_SECONDS = 120


def main() -> None:
    """Measure and print."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(TURNS):
        for workers, times in seconds.items():
            times.append(_seconds_with(workers))
            print(f"{workers} worker{'s' if workers > 1 else ''}: {CELLS} cells in {times[-1]:.1f} s", flush=True)  # noqa: T201
    one, two = (statistics.median(times) for times in seconds.values())
    cores = os.cpu_count()
    print(f"efficiency from 1 to 2 workers on {cores} cores: {one / (2 * two):.0%} (medians of {TURNS})")  # noqa: T201


def _seconds_with(workers: int) -> float:
    """Return how long so many fresh workers take for the cells, once each has done one and is warm."""
    spec = read_study(SHIPPED / "digits.toml")
    one_of_each = [cell for cell in plan_cells(spec) if cell.spec.rate == max(spec.rates)]
    # Equal work: one kind of trigger at one rate, and seeds that do not matter here.
    first = one_of_each[0]
    cells = [
        first.model_copy(update={"spec": first.spec.model_copy(update={"seed": seed})})
        for seed in range(CELLS + workers)
    ]
    with tempfile.TemporaryDirectory() as folder, _local_cluster(workers, Path(folder)) as address:
        cluster = Cluster(address, Path(folder) / "runs", data_folder())
        _compute(cluster, cells[:workers])
        began = time.perf_counter()
        _compute(cluster, cells[workers:])
        return time.perf_counter() - began


def _compute(cluster: Cluster, cells: list) -> None:
    for answer in cluster.compute(cells):
        if answer is not None and answer[1].failure:
            sys.exit(answer[1].failure)


@contextlib.contextmanager
def _local_cluster(workers: int, folder: Path) -> Iterator[str]:
    """Start a scheduler and workers of one thread each on this machine; yields the scheduler's address."""
    here = ("--host", "127.0.0.1", "--no-dashboard")
    with contextlib.ExitStack() as started:
        log = folder / "scheduler.log"
        _start(started, log, "distributed.cli.dask_scheduler", *here, "--port", "0", "--no-show")
        address = _wait_for(log, r"tcp://127\.0\.0\.1:\d+")
        worker = ("distributed.cli.dask_worker", address, *here, "--nthreads", "1", "--no-nanny")
        logs = [folder / f"worker-{number}.log" for number in range(workers)]
        for path in logs:
            _start(started, path, *worker, "--local-directory", str(folder / "dask"))
        for path in logs:
            _wait_for(path, "Registered to")
        yield address


def _start(started: contextlib.ExitStack, log: Path, *command: str) -> None:
    file = started.enter_context(log.open("wb"))
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=PROJECT, stdout=file, stderr=file)
    started.callback(process.wait, 30)
    started.callback(process.terminate)


def _wait_for(log: Path, pattern: str) -> str:
    """Return what a process wrote that matches."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        found = re.search(pattern, log.read_text(encoding="utf-8", errors="replace"))
        if found:
            return found[0]
        time.sleep(0.05)
    sys.exit(f"{log.name} never said {pattern!r}:\n{log.read_text(encoding='utf-8', errors='replace')}")


if __name__ == "__main__":
    main()
