"""Triggerscope's core: data, attacks, training, and the instruments that look at the trained models.

Importing it costs next to nothing; torch is imported when something needs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.attacks.triggers import Trigger, make_preset
    from core.datasets import load_dataset
    from core.errors import InputError
    from core.instruments.slices.refine import slice_plane
    from core.instruments.smoothness import measure_smoothness, sweep_sigma
    from core.runs.jobs.worker import train_run
    from core.runs.measured.spec import MeasureSpec
    from core.runs.measured.w import measure_run
    from core.runs.root import load_run
    from core.training.spec import RunSpec

__all__ = [
    "InputError",
    "MeasureSpec",
    "RunSpec",
    "Trigger",
    "load_dataset",
    "load_run",
    "make_preset",
    "measure_run",
    "measure_smoothness",
    "slice_plane",
    "sweep_sigma",
    "train_run",
]

_HOMES = {
    "InputError": "core.errors",
    "MeasureSpec": "core.runs.measured.spec",
    "RunSpec": "core.training.spec",
    "Trigger": "core.attacks.triggers",
    "load_dataset": "core.datasets",
    "load_run": "core.runs.root",
    "make_preset": "core.attacks.triggers",
    "measure_run": "core.runs.measured.w",
    "measure_smoothness": "core.instruments.smoothness",
    "slice_plane": "core.instruments.slices.refine",
    "sweep_sigma": "core.instruments.smoothness",
    "train_run": "core.runs.jobs.worker",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'core' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
