"""Running the speed table."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from core.benchmarks.row import Row
from core.errors import InputError

Progress = Callable[[float, str], None]


def row_names() -> tuple[str, ...]:
    """Return the names of the table's rows, in their order."""
    from core.benchmarks.rows import ROWS

    return tuple(ROWS)


def run_bench(
    rows: Sequence[str] | None = None,
    repetitions: int = 7,
    data_root: Path | str | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Measure rows of the speed table: about ten minutes for all of them on two quiet cores.

    Ours and the plain reference take turns, `repetitions` times, and medians are compared, because a shared machine may
    be several times slower for seconds. Ratios are measured with one thread.

    Parameters
    ----------
    rows
        Some of `row_names()`; by default all.
    repetitions
        Turns; fewer than 7 are for trying things out.
    data_root
        Folder of the data sets. Fashion-MNIST is used where it lies there, else scikit-learn's digits, enlarged;
        nothing is downloaded.
    progress
        Called with the share of the rows done and the name of the one that comes next.

    Raises
    ------
    InputError
        There is no row of a name, or no repetition is asked for.
    """
    from core.benchmarks.rows import ROWS
    from core.benchmarks.setting import Setting

    names = tuple(ROWS) if rows is None else tuple(rows)
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        raise InputError(f"There is no row called {unknown[0]!r}; choose of: {', '.join(ROWS)}.")
    if repetitions < 1:
        raise InputError(f"{repetitions} repetitions measure nothing; ask for at least 1, and 7 for figures to keep.")
    setting = Setting(repetitions=repetitions, data_root=data_root)
    measured = []
    for number, name in enumerate(names):
        if progress is not None:
            progress(number / len(names), name)
        measured.append(ROWS[name](setting))
    return measured


def describe_machine() -> dict[str, Any]:
    """Return what a figure has to be read with: processor, device, versions, date, and how busy the machine is."""
    import torch

    from core.device import choose_device, choose_precision, cpu_count

    device = choose_device()
    return {
        "cpu": _processor(),
        "cores": cpu_count(),
        "threads": 1,
        "device": device,
        "device_name": torch.cuda.get_device_name() if device == "cuda" else _processor(),
        "dtype": choose_precision(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "date": datetime.now().astimezone().date().isoformat(),
        "load": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="ignore").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.lower().startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
