"""What the machine is asked for: threads are put back, and memory is told in bytes wherever it is asked."""

from __future__ import annotations

import resource
import sys

import numpy as np
import pytest
import torch

from core.device import peak_memory, torch_threads


def test_threads_are_put_back_whatever_happens():
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(KeyError), torch_threads(before + 1):
        raise KeyError
    assert torch.get_num_threads() == before


def test_peak_memory_counts_what_is_taken_in_bytes():
    before = peak_memory()
    taken = np.ones(before // 4, np.uint8).repeat(8)  # twice of all there was so far
    assert taken.all()
    assert taken.nbytes <= peak_memory() < before + 3 * taken.nbytes


@pytest.mark.parametrize(("system", "unit"), [("freebsd", 1024), ("darwin", 1)])
def test_peak_memory_is_in_bytes_where_the_system_counts_otherwise(tmp_path, monkeypatch, system, unit):
    monkeypatch.setattr("core.device.Path", lambda path: tmp_path / "nothing there")
    monkeypatch.setattr(sys, "platform", system)
    counted = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    assert counted <= peak_memory() <= 1.1 * counted
