"""What many tests need: a poisoned digits model and its control, trained once."""

from __future__ import annotations

import tests.shapes  # noqa: F401 (before all that it checks is imported elsewhere)

# isort: split
import pytest
import torch

from core.attacks.triggers import make_preset
from core.datasets import fingerprint
from core.runs.jobs.worker import train_run
from core.training.spec import make_spec

# Several threads beside a busy core are many times slower than one; no test needs more.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def runs_root(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def data_root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def digits_spec(**values):
    """Return the spec that the command line makes of the README's first training, on one thread."""
    attack = {"trigger": make_preset("white-corner", (1, 8, 8)), "target": 0, "rate": 0.1, "threads": 1}
    return make_spec(**{"dataset": "digits", "fingerprint": fingerprint("digits")} | attack | values)


@pytest.fixture(scope="session")
def poisoned(runs_root, data_root):
    return train_run(digits_spec(), runs_root, data_root)


@pytest.fixture(scope="session")
def control(runs_root, data_root):
    return train_run(digits_spec(rate=0.0), runs_root, data_root)
