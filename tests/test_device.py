"""What the machine is asked for: threads are put back, and memory is told in bytes wherever it is asked."""

from __future__ import annotations

import platform
import resource
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import torch

from core.device import available_memory, peak_memory, processor_name, torch_threads
from core.runs.jobs.queue import MEMORY_OF_ONE, pool_size


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


def test_free_memory_is_told_on_every_system():
    assert 2**20 < available_memory() < psutil.virtual_memory().total


def test_a_pool_fits_into_the_memory_of_its_gpu_too(monkeypatch):
    free = {"cpu": 100 * MEMORY_OF_ONE, "cuda": 3.5 * MEMORY_OF_ONE}
    monkeypatch.setattr("core.runs.jobs.queue.available_memory", free.get)
    monkeypatch.setattr("core.runs.jobs.queue.cpu_count", lambda: 16)
    assert (pool_size("cpu"), pool_size("cuda")) == (16, 3)
    free["cuda"] = 0
    assert pool_size("cuda") == 1


def test_a_processor_says_what_it_is(tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 85\nmodel name\t: Made Up 9000 @ 2.1GHz\n"
    )
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("core.device.Path", lambda path: cpuinfo if path == "/proc/cpuinfo" else tmp_path / "none")
    assert processor_name.__wrapped__() == "Made Up 9000 @ 2.1GHz"
    cpuinfo.write_text("processor\t: 0\nBogoMIPS\t: 50.00\n")
    assert processor_name.__wrapped__() == platform.machine()


def test_threads_are_put_back_when_the_last_of_several_is_done():
    before = torch.get_num_threads()
    entered, leave = threading.Event(), threading.Event()

    def compute() -> None:
        with torch_threads(before + 1):
            entered.set()
            leave.wait(10)

    with ThreadPoolExecutor(1) as other, ThreadPoolExecutor(1) as newcomer:
        with torch_threads(before + 1):
            computing = other.submit(compute)
            assert entered.wait(10)
        leave.set()
        computing.result()
        # Each new thread begins with what the process has.
        assert newcomer.submit(torch.get_num_threads).result() == before
