"""Detached workers: they finish what is queued, obey cancel, outlive crashes, and leave when nobody is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.datasets import load_dataset
from core.errors import InputError
from core.runs.jobs.last_dataset import LastDataset
from core.runs.jobs.queue import Queue, worker_slots
from core.runs.jobs.worker import train_locked, train_run
from core.runs.root import create_run, list_runs
from core.runs.run import Run, State
from core.training.events import Epoch
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
    jobs = Queue(tmp_path / "runs", tmp_path / "data")
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
@pytest.mark.soak
def test_a_killed_worker_leaves_an_interrupted_run_that_can_be_started_again(jobs, tmp_path, data_root):
    spec = digits_spec(epochs=10)
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
@pytest.mark.soak
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
    monkeypatch.setattr("core.runs.jobs.queue.QUEUE_LIMIT", 0)
    with pytest.raises(InputError, match="waiting already"):
        jobs.submit(digits_spec(seed=123))
    assert list_runs(jobs.root) == []


def test_a_folder_that_cannot_be_written_gets_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        Queue(tmp_path / "file" / "runs", tmp_path).submit(digits_spec())


@pytest.fixture
def still(tmp_path, monkeypatch):
    """A queue that nobody empties."""
    monkeypatch.setattr(Queue, "_start_worker", lambda jobs: None)
    return Queue(tmp_path / "runs", tmp_path / "data")


def order(jobs):
    return [entry.name.rsplit("-", 1)[-1] for entry in jobs.waiting()]


def test_runs_are_taken_in_the_order_in_which_they_came(still):
    runs = [still.submit(digits_spec(seed=seed)) for seed in (3, 1, 2)]
    assert still.submit(digits_spec(seed=1)).name == runs[1].name  # it waits already
    assert order(still) == [run.name for run in runs]
    assert [still.position(run) for run in runs] == [1, 2, 3]
    still.cancel(runs[0])
    assert [still.position(run) for run in runs] == [None, 1, 2]


def test_a_queue_of_an_earlier_version_is_worked_on(still):
    old = create_run(digits_spec(seed=1), still.root)
    still.prepare()
    (still.queue / f"0-{1:020d}-{old.name}").touch()
    new = still.submit(digits_spec(seed=2))
    assert order(still) == [old.name, new.name]
    assert old.state is State.QUEUED
    still.cancel(old)
    assert order(still) == [new.name]


@pytest.fixture
def sharing(still):
    """Two runs that wait, and the control that both have."""
    first, second = (still.submit_with_control(digits_spec(target=target)) for target in (0, 1))
    assert first.control().name == second.control().name
    return first, second, first.control()


def test_a_control_goes_on_until_the_last_run_that_shares_it_is_stopped(still, sharing):
    first, second, control = sharing
    still.cancel_with_control(first)
    assert [run.state for run in sharing] == [State.CANCELLED, State.QUEUED, State.QUEUED]
    still.cancel_with_control(second)
    assert [run.state for run in sharing] == [State.CANCELLED] * 3
    still.submit_with_control(first.spec)
    still.cancel_with_control(control)  # by its own name it is stopped
    assert [run.state for run in sharing] == [State.QUEUED, State.CANCELLED, State.CANCELLED]


def test_a_control_goes_on_beside_a_run_that_is_trained_but_not_beside_one_that_stops(still, sharing):
    first, second, control = sharing
    (still.root / ("0" * 12)).mkdir()
    (still.root / ("0" * 12) / "spec.json").write_text("{")  # a damaged run has no say
    other = Run(still.root / ("0" * 12))
    with other.locked(), second.locked():
        still._entries(second)[0].unlink()
        assert (other.state, second.state) == (State.RUNNING, State.RUNNING)
        still.cancel_with_control(first)
        assert control.state is State.QUEUED
        still.cancel_with_control(second)
        assert (second.state, control.state) == (State.RUNNING, State.CANCELLED)


def test_a_run_and_its_control_are_queued_side_by_side_or_not_at_all(still, monkeypatch):
    run = still.submit_with_control(digits_spec())
    assert order(still) == [run.name, run.control().name]
    monkeypatch.setattr("core.runs.jobs.queue.QUEUE_LIMIT", 3)
    with pytest.raises(InputError, match="2 trainings are waiting already"):
        still.submit_with_control(digits_spec(seed=1))
    assert len(list_runs(still.root)) == 2
    assert still.submit_with_control(digits_spec(target=1)).state is State.QUEUED  # its control waits already
    assert len(still.waiting()) == 3
    assert still.submit_with_control(digits_spec(rate=0.0)).name == run.control().name


def test_a_run_that_was_deleted_while_it_waited_is_passed_over(still, data_root):
    for name in ("deleted", "damaged"):
        run = still.submit(digits_spec(seed=len(name)))
        if name == "deleted":
            shutil.rmtree(run.path)
        else:
            (run.path / "spec.json").write_text("{")
    assert still._work_on_next(LastDataset(data_root))
    assert not still._work_on_next(LastDataset(data_root))
    assert still.waiting() == []
    assert "spec of run" in run.events[-1].reason


def test_one_that_is_about_to_stop_can_be_submitted_again_at_once(still, data_root):
    run = still.submit(digits_spec(epochs=3, rate=0.0))
    resubmitted = []

    def on_event(event):
        if isinstance(event, Epoch) and not resubmitted:
            still.cancel(run)
            assert run.state is State.RUNNING
            resubmitted.append(still.submit(run.spec))

    with run.locked():
        still.waiting()[0].unlink()
        train_locked(run, lambda spec: load_dataset(spec.dataset), on_event)
    assert resubmitted
    while still._work_on_next(LastDataset(data_root)):
        pass
    assert run.state is State.DONE
    assert [epoch.epoch for epoch in run.epochs] == [1, 2, 3]


SERVER = """
import sys, time
from pathlib import Path
from core.runs.jobs.queue import Queue
from core.training.spec import RunSpec
jobs = Queue(Path(sys.argv[1]), Path(sys.argv[2]))
jobs.join_as_server()
print(jobs.submit(RunSpec.model_validate_json(sys.argv[3])).state, flush=True)
time.sleep(600)
"""


@needs_process_table
def test_a_training_outlives_the_servers_that_wait_for_it_and_is_seen_interrupted_when_its_worker_is_killed(jobs):
    jobs._presence.release()
    spec = digits_spec(epochs=1000)
    run = Run(jobs.root / spec.hash)
    for ending in (signal.SIGTERM, signal.SIGKILL):
        words = [str(jobs.root), str(jobs.data_root), spec.model_dump_json()]
        with subprocess.Popen([sys.executable, "-c", SERVER, *words], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout.readline().strip() in ("queued", "running")
            wait_until(lambda: run.epochs)
            server.send_signal(ending)
            assert server.wait(20) == -ending
        reached = len(run.epochs)
        wait_until(lambda reached=reached: len(run.epochs) > reached + 1)
        assert run.state is State.RUNNING
    [worker] = living_workers(jobs)
    os.kill(worker, signal.SIGKILL)
    killed = time.monotonic()
    wait_until(lambda: run.state is State.INTERRUPTED)
    assert time.monotonic() - killed < 2
    assert run.checkpoint() is not None
