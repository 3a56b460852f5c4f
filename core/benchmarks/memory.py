"""Rows about memory, each measured in a process of its own: ``python -m core.benchmarks.memory IMAGES DRAWS``."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from core.benchmarks.row import Row, judge
from core.benchmarks.setting import Setting, untrained
from core.device import choose_device, peak_memory
from core.files import PROJECT

SHAPE = (1, 28, 28)
_MB = 1e6
# By so much the allocator and the kernels' scratch space differ from one process to the next.
_EQUAL = 16


def memory_row(setting: Setting) -> Row:
    """Return the larger growth of the two numbers of draws."""
    growths = setting.memory_growths
    return judge(
        "memory",
        f"Peak memory of W of {setting.memory_images} images on 28x28 over loading them, small CNN, "
        f"{_either(setting)} draws",
        max(growths.values()),
        "MB",
        "<=",
        300,
        {"growth": {str(draws): growth for draws, growth in growths.items()}},
        applies=peak_memory() > 0,
    )


def memory_draws_row(setting: Setting) -> Row:
    """Return the difference between the two numbers of draws."""
    first, second = setting.memory_growths.values()
    return judge(
        "memory-draws",
        f"Difference of that peak between {_either(setting)} draws; {_EQUAL} MB count as equal",
        abs(first - second),
        "MB",
        "<=",
        _EQUAL,
        {"growth": {str(draws): growth for draws, growth in setting.memory_growths.items()}},
        applies=peak_memory() > 0,
    )


def _either(setting: Setting) -> str:
    return " and ".join(map(str, setting.memory_draws))


def measure_growths(images: int, draws: tuple[int, ...]) -> dict[int, float]:
    """Return by how many MB W makes a fresh process grow beyond its loaded images, for each number of draws."""
    with ThreadPoolExecutor(len(draws)) as pool:
        return dict(zip(draws, pool.map(lambda each: _growth(images, each), draws), strict=True))


def _growth(images: int, draws: int) -> float:
    command = [sys.executable, "-m", "core.benchmarks.memory", str(images), str(draws)]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    peaks: dict[str, int] = json.loads(done.stdout)
    return (peaks["measured"] - peaks["loaded"]) / _MB


def measure_peaks(images: int, draws: int) -> dict[str, int]:
    """Measure W of so many images in this process; return its peak resident size before and after, in bytes."""
    import torch

    from core.instruments.smoothness import measure_smoothness

    torch.set_num_threads(1)
    model, pictures = untrained("small-cnn", SHAPE), torch.rand(images, *SHAPE)
    if choose_device() == "cuda":
        torch.cuda.init()  # what the driver takes for itself is not ours
    loaded = peak_memory()
    _ = measure_smoothness(model, pictures, 0.2, draws).w
    return {"loaded": loaded, "measured": peak_memory()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure_peaks(*map(int, sys.argv[1:]))) + "\n")
