"""The row about waiting: what a page does between a new model or trigger and the first W on the screen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from core.benchmarks.row import Row, judge
from core.benchmarks.setting import TARGET, Setting
from core.benchmarks.timing import middle
from core.datasets.dataset import to_unit
from core.device import cpu_count
from core.instruments.evaluation import choose_images
from core.instruments.predictor import Predictor
from core.instruments.smoothness import measure_smoothness

SIGMA = 0.2
PARTS = ("predictor", "votes", "estimates")


def first_estimate_row(setting: Setting) -> Row:
    """Time one image's W, clean and triggered, with intervals, from a loaded model on, as a page does."""
    taken = [_seconds(setting, *pair) for pair in _pairs(setting)]
    taken = taken[1:]  # the first one warms up
    milliseconds = {part: 1e3 * middle([seconds[part] for seconds in taken]) for part in taken[0]}
    totals = [1e3 * sum(seconds[part] for part in PARTS) for seconds in taken]
    draws = setting.estimate_draws
    return judge(
        "first-estimate",
        f"First estimate for one image, {draws} clean and {draws} triggered draws, small CNN on 28x28: predictor made "
        "from the loaded model, votes, both W and their intervals",
        middle(totals),
        "ms",
        "<=",
        50,
        {"turns": len(taken), "milliseconds": milliseconds, "fastest": min(totals), "threads": cpu_count()},
    )


def _pairs(setting: Setting) -> Iterator[tuple[Tensor, int]]:
    """Yield a clean image with its triggered version, [2, C, H, W], and its place: another one each turn.

    Equal votes would be remembered, and their interval come for nothing.
    """
    test = setting.dataset.test
    for place in choose_images(test, TARGET, setting.repetitions + 1, seed=0):
        clean = to_unit(test.images[place : place + 1])
        yield torch.cat([clean, setting.trigger.apply(clean)]), int(place)


def _seconds(setting: Setting, images: Tensor, place: int) -> dict[str, float]:
    model, stamps = setting.learned, [time.perf_counter()]
    processor = time.process_time()
    predictor = Predictor(model, setting.device)
    stamps.append(time.perf_counter())
    found = measure_smoothness(predictor, images, SIGMA, setting.estimate_draws, keys=[place, place])
    stamps.append(time.perf_counter())
    _ = found.w, found.low, found.high
    stamps.append(time.perf_counter())
    parts = dict(zip(PARTS, (end - start for start, end in pairwise(stamps)), strict=True))
    return parts | {"processor": time.process_time() - processor}
