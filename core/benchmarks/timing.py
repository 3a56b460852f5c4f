"""Timing on a machine that others use too: turns, medians, and processor time beside wall time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

# Told which turn it is, so that it can do other work of the same size each time; -1 warms up.
Contender = Callable[[int], object]


@dataclass(frozen=True)
class Times:
    """What each turn took: seconds on the clock, and seconds of processor time of all this process's threads."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]


def take_turns(contenders: Mapping[str, Contender], turns: int, *, warm_up: bool = True) -> dict[str, Times]:
    """Let the contenders work one after the other, `turns` times, after one round that does not count.

    A contender has to end with its results on the CPU, so that nothing is still under way on an accelerator.
    """
    if warm_up:
        for work in contenders.values():
            work(-1)
    taken = [{name: _timed(work, turn) for name, work in contenders.items()} for turn in range(turns)]
    return {name: Times(*zip(*(turn[name] for turn in taken), strict=True)) for name in contenders}


def _timed(work: Contender, turn: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work(turn)
    return time.perf_counter() - wall, time.process_time() - cpu


def speed_up(slow: Times, fast: Times) -> float:
    """Return how many times as fast the second is, from medians of wall time."""
    return median(slow.wall) / median(fast.wall)


def detail_of(times: Mapping[str, Times], slow: str, fast: str) -> dict[str, Any]:
    """Return the medians behind a ratio, and two other ways to take it: by turns, and by processor time.

    The machine's pauses cancel out within a turn that is short, and touch processor time little.
    """
    a, b = times[slow], times[fast]
    turns = sorted(x / y for x, y in zip(a.wall, b.wall, strict=True))
    return seconds_of(times) | {
        "ratio_by_turns": {"median": median(turns), "lowest": turns[0], "highest": turns[-1]},
        "ratio_of_processor_time": median(a.cpu) / median(b.cpu),
    }


def seconds_of(times: Mapping[str, Times]) -> dict[str, Any]:
    """Return medians of wall and processor time, in seconds."""
    return {
        "turns": len(next(iter(times.values())).wall),
        "seconds": {name: median(each.wall) for name, each in times.items()},
        "processor_seconds": {name: median(each.cpu) for name, each in times.items()},
    }


def middle(values: Sequence[float]) -> float:
    """Return the median as a float."""
    return float(median(values))
