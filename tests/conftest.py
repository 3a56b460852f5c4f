"""What many tests need: a poisoned digits model and its control, trained once."""

from __future__ import annotations

import tests.shapes  # noqa: F401 (before all that it checks is imported elsewhere)

# isort: split
import pytest
import torch

from core.attacks.triggers import make_preset
from core.datasets import fingerprint, load_dataset
from core.runs.jobs.worker import train_run
from core.studies.conduct import run_study
from core.studies.folder import SHIPPED, open_study
from core.training.spec import make_spec
from tests.here import Here

# Several threads beside a busy core are many times slower than one; no test needs more.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def runs_root(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def data_root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def digits(data_root):
    return load_dataset("digits", data_root)


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


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory, data_root):
    """The smallest study, done, and the folder that it and its runs lie in; only to be read."""
    root = tmp_path_factory.mktemp("tiny")
    study = open_study(SHIPPED / "tiny.toml", root)
    for _ in run_study(study, root, data_root, Here(root, data_root)):
        pass
    return study, root
