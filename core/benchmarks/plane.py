"""The row about slices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from core.benchmarks.reference import plain, reference_plane
from core.benchmarks.row import Row, judge
from core.benchmarks.setting import TARGET, Setting
from core.benchmarks.timing import middle, seconds_of, take_turns
from core.datasets.dataset import to_unit
from core.device import torch_threads
from core.instruments.evaluation import choose_images
from core.instruments.predictor import Predictor
from core.instruments.slices.plane import SlicePlane
from core.instruments.slices.refine import slice_plane


def slice_row(setting: Setting) -> Row:
    """Compare slices with their dense predecessors, a plane a turn; the reference always does the whole plane."""
    predictor, reference = Predictor(setting.learned, setting.device, threads=1), plain(setting.learned, setting.device)
    corners = list(_corners(setting))
    found: dict[int, SlicePlane] = {}

    def ours(turn: int) -> None:
        found[turn] = slice_plane(predictor, *corners[turn], setting.resolution)

    with torch_threads(1):
        reference_plane(reference, slice_plane(predictor, *corners[0], 9), setting.device)  # warms both up
        # Once before and once after: one slice is over so soon that the machine may pause just then.
        times = take_turns(
            {
                "before": ours,
                "reference": lambda turn: reference_plane(reference, found[turn], setting.device),
                "after": ours,
            },
            setting.repetitions,
            warm_up=False,
        )
    before, dense, after = (times[name] for name in ("before", "reference", "after"))
    ratios = [2 * slow / (a + b) for a, slow, b in zip(before.wall, dense.wall, after.wall, strict=True)]
    by_processor = [2 * slow / (a + b) for a, slow, b in zip(before.cpu, dense.cpu, after.cpu, strict=True)]
    side = setting.resolution
    return judge(
        "slice",
        f"Slice of {side}x{side} points, small CNN on 28x28, against every point through a DataLoader: median of "
        f"{len(ratios)} planes",
        middle(ratios),
        "x",
        ">=",
        15,
        seconds_of(times)
        | {
            "data": setting.dataset.name,
            "ratios": ratios,
            "ratio_of_processor_time": middle(by_processor),
            "evaluations": [found[turn].evaluations for turn in found],
            "labels_present": [len(found[turn].labels_present) for turn in found],
        },
    )


def _corners(setting: Setting) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield three images for each turn: of three classes, then one with its triggered version and one of the target."""
    test = setting.dataset.test
    places = choose_images(test, TARGET, len(test.labels), seed=0)
    of_target = int((test.labels == TARGET).nonzero()[0])
    for turn in range(setting.repetitions):
        chosen = _of_three_classes(test.labels.numpy(), places[3 * turn :])
        if turn % 2 == 0:
            first, second, third = to_unit(test.images[chosen])
            yield first, second, third
        else:
            clean, target = to_unit(test.images[[chosen[0], of_target]])
            yield clean, setting.trigger.apply(clean[None])[0], target


def _of_three_classes(labels: np.ndarray, places: np.ndarray) -> list[int]:
    chosen: dict[int, int] = {}
    for place in places:
        chosen.setdefault(int(labels[place]), int(place))
        if len(chosen) == 3:
            break
    return list(chosen.values())
