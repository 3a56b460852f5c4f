"""Triggerscope's core: data, attacks, training, and the instruments that look at the trained models.

Importing it costs next to nothing; torch is imported when something needs it.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "InputError": "core.errors",
    "load_dataset": "core.datasets",
    "Trigger": "core.attacks.triggers",
    "RunSpec": "core.training.spec",
    "MeasureSpec": "core.training.spec",
    "train_run": "core.runs.jobs.worker",
    "load_run": "core.runs.root",
    "measure_run": "core.runs.measured.w",
    "measure_smoothness": "core.instruments.smoothness",
    "sweep_sigma": "core.instruments.smoothness",
    "slice_plane": "core.instruments.slices.refine",
}

__all__ = [
    "InputError",
    "MeasureSpec",
    "RunSpec",
    "Trigger",
    "load_dataset",
    "load_run",
    "measure_run",
    "measure_smoothness",
    "slice_plane",
    "sweep_sigma",
    "train_run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'core' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
