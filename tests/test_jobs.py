"""Detached workers: they finish what is queued, obey cancel, outlive crashes, and leave when nobody is left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from core.errors import InputError
from core.jobs import Jobs, worker_slots
from core.runs import State
from core.worker import train_run
from tests.conftest import digits_spec

PROCESSES = Path("/proc")
needs_process_table = pytest.mark.skipif(not PROCESSES.is_dir(), reason="needs a process table")


def wait_until(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


@pytest.fixture
def jobs(tmp_path):
    jobs = Jobs(tmp_path / "runs", tmp_path / "data")
    jobs.join_as_server()
    yield jobs
    for run in jobs.root.glob("*/spec.json"):
        (run.parent / "cancel").touch()
    jobs._presence.release()
    for worker in jobs._started:
        worker.wait(60)


def living_workers(jobs):
    """Return the ids of the worker processes that serve this root, from the system's process table."""
    found = []
    for entry in PROCESSES.glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"work" in words and str(jobs.root).encode() in words:
            found.append(int(entry.name))
    return found


def test_a_queued_run_is_trained_to_the_same_weights_as_in_this_process(jobs, poisoned, tmp_path):
    run = jobs.submit(poisoned.spec)
    assert run.state in (State.QUEUED, State.RUNNING)
    wait_until(lambda: run.state is State.DONE)
    assert (run.path / "model.safetensors").read_bytes() == (poisoned.path / "model.safetensors").read_bytes()
    assert jobs.waiting() == []
    assert jobs.submit(poisoned.spec).state is State.DONE


def test_cancel_stops_a_running_training_and_a_waiting_one_and_both_can_be_started_again(jobs):
    long = jobs.submit(digits_spec(epochs=500))
    wait_until(lambda: len(long.epochs) >= 1)
    assert long.state is State.RUNNING
    others = [jobs.submit(digits_spec(epochs=500, seed=seed)) for seed in range(1, worker_slots() + 1)]
    wait_until(lambda: others[-1].state is State.QUEUED)
    for run in (others[-1], *others[:-1], long):
        jobs.cancel(run)
    wait_until(lambda: all(run.state is State.CANCELLED for run in (long, *others)))
    assert long.result is None
    short = jobs.submit(digits_spec(epochs=1, rate=0.0))
    wait_until(lambda: short.state is State.DONE)
    assert jobs.submit(digits_spec(epochs=500)).state in (State.QUEUED, State.RUNNING)


@needs_process_table
def test_a_killed_worker_leaves_an_interrupted_run_that_can_be_started_again(jobs, tmp_path, data_root):
    spec = digits_spec(epochs=30)
    run = jobs.submit(spec)
    wait_until(lambda: len(run.epochs) >= 2)
    for pid in living_workers(jobs):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: run.state is State.INTERRUPTED, 10)
    jobs.submit(spec)
    wait_until(lambda: run.state is State.DONE)
    alone = train_run(spec, tmp_path / "alone", data_root)
    assert (run.path / "model.safetensors").read_bytes() == (alone.path / "model.safetensors").read_bytes()


def test_a_run_that_cannot_be_trained_fails_with_its_sentence_and_the_next_one_goes_on(jobs):
    bad = jobs.submit(digits_spec(target=77))
    good = jobs.submit(digits_spec(epochs=1, rate=0.0))
    wait_until(lambda: good.state is State.DONE)
    wait_until(lambda: bad.state is State.FAILED)
    assert "not a class" in bad.events[-1].reason


@needs_process_table
def test_idle_workers_leave_when_the_last_server_has_gone(jobs):
    jobs.ensure_workers()
    wait_until(lambda: living_workers(jobs))
    time.sleep(4)
    assert living_workers(jobs), "it must stay warm while a server lives"
    jobs._presence.release()
    wait_until(lambda: not living_workers(jobs), 30)


def test_never_more_workers_than_slots(jobs):
    for seed in range(6):
        jobs.submit(digits_spec(epochs=1, seed=seed, rate=0.0))
        assert len(living_workers(jobs)) <= worker_slots()
    wait_until(lambda: not jobs.waiting())


def test_a_full_queue_gets_a_sentence(jobs, monkeypatch):
    monkeypatch.setattr("core.jobs.QUEUE_LIMIT", 0)
    with pytest.raises(InputError, match="waiting already"):
        jobs.submit(digits_spec(seed=123))


def test_a_folder_that_cannot_be_written_gets_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be stored"):
        Jobs(tmp_path / "file" / "runs", tmp_path).submit(digits_spec())
