"""`work`: a worker of the dashboard's queue."""

from __future__ import annotations

from core.cli.options import DataRoot, Runs


def work_command(runs: Runs = None, data_root: DataRoot = None) -> None:
    """Be a worker: train the runs that wait in the queue until none is left and no dashboard runs."""
    from core.datasets import data_folder
    from core.runs.jobs.queue import Jobs
    from core.runs.root import runs_root

    Jobs(runs_root(runs), data_folder(data_root)).serve()
