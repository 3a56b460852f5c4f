"""The speed table's rows by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from core.benchmarks.epoch import epoch_row
from core.benchmarks.estimate import first_estimate_row
from core.benchmarks.memory import memory_draws_row, memory_row
from core.benchmarks.plane import slice_row
from core.benchmarks.row import Row
from core.benchmarks.setting import Setting
from core.benchmarks.votes import scaling_row, share_row, votes_row

ROWS: dict[str, Callable[[Setting], Row]] = {
    "w": votes_row,
    "share-small-cnn": partial(share_row, architecture="small-cnn", target=40),
    "share-resnet-18": partial(share_row, architecture="resnet-18", target=60),
    "first-estimate": first_estimate_row,
    "slice": slice_row,
    "epoch": epoch_row,
    "memory": memory_row,
    "memory-draws": memory_draws_row,
    "scaling": scaling_row,
}
