"""The last data set is kept, loaded again when it has changed, and made by one process at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.datasets import load_dataset
from core.files import is_held
from core.runs.jobs.last_dataset import LastDataset
from tests.conftest import digits_spec


@pytest.fixture
def loads(monkeypatch):
    """Names of the data sets that were loaded, and whether others had to wait meanwhile."""
    seen = []

    def load(name, data_root):
        seen.append((name, is_held(data_root / ".loading")))
        return load_dataset(name, data_root)

    monkeypatch.setattr("core.runs.jobs.last_dataset.load_dataset", load)
    return seen


def test_it_is_loaded_once_while_others_wait(tmp_path, loads):
    load = LastDataset(tmp_path / "data")
    first = load(digits_spec())
    assert load(digits_spec(seed=1, rate=0.0)) is first
    assert loads == [("digits", True)]
    assert not is_held(tmp_path / "data" / ".loading")


def test_it_is_loaded_again_when_its_images_are_others_by_now(tmp_path, loads):
    load = LastDataset(tmp_path)
    load.last = replace(load(digits_spec()), fingerprint="of other images")
    assert load(digits_spec()).fingerprint == digits_spec().fingerprint
    assert len(loads) == 2


def test_a_folder_that_cannot_be_written_keeps_nobody_from_what_needs_no_folder(tmp_path, loads):
    (tmp_path / "file").write_text("")
    assert LastDataset(tmp_path / "file" / "data")(digits_spec()).name == "digits"
