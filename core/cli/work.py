"""`work`: a worker of this machine's queue."""

from __future__ import annotations

from functools import partial

from core.cli.options import DataRoot, Runs


def work_command(runs: Runs = None, data_root: DataRoot = None) -> None:
    """Be a worker: train queued runs and compute cells of studies until none is left and no dashboard is running."""
    from core.datasets import data_folder
    from core.runs.jobs.queue import Queue
    from core.runs.root import runs_root
    from core.studies.local_pool import KIND, work_on_cell

    jobs = Queue(runs_root(runs), data_folder(data_root))
    jobs.serve({KIND: partial(work_on_cell, jobs.root)})
