"""A study on a local Dask cluster: the same table as at home, with a worker killed, with and without shared storage."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import InputError
from core.studies.cells import read_cell
from core.studies.cluster import Cluster, check_workers, describe_here, pack, unpack
from core.studies.conduct import run_study
from core.studies.folder import SHIPPED, StudyState, open_study
from core.studies.plan import plan_cells
from tests.studies.test_studies import without_circumstances

pytest.importorskip("distributed")
ROOT = Path(__file__).parents[2]
HERE = {"python": "3.11", "torch": "2.15.0", "numpy": "2.4", "distributed": "1", "code": "abc"}
HERE |= {"device": "cpu", "precision": "float32"}


def start(log: Path, *command: str, **environment: str) -> subprocess.Popen:
    with log.open("wb") as file:
        options = {"cwd": ROOT, "env": os.environ | environment, "stdout": file, "stderr": file}
        return subprocess.Popen([sys.executable, "-m", *command], **options)


@pytest.fixture
def scheduler(tmp_path):
    """A Dask scheduler on a free port of this machine; yields its address."""
    command = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
    process = start(tmp_path / "scheduler.log", *command)
    until, found = time.monotonic() + 120, []
    while not found and time.monotonic() < until:
        time.sleep(0.05)
        found = re.findall(r"tcp://127\.0\.0\.1:\d+", (tmp_path / "scheduler.log").read_text())
    yield found[0]
    process.terminate()
    process.wait(20)


@pytest.fixture
def start_worker(scheduler, tmp_path):
    """Start workers, one process with one thread each."""
    started = []

    def start_one(**environment: str) -> subprocess.Popen:
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path / "dask"))
        log, command = tmp_path / f"worker-{len(started)}.log", ("distributed.cli.dask_worker", scheduler)
        worker = start(log, *command, "--host", "127.0.0.1", *options, **environment)
        started.append(worker)
        return worker

    yield start_one
    for worker in started:
        worker.terminate()
    for worker in started:
        worker.wait(30)


@pytest.mark.soak
def test_one_of_two_workers_is_killed_and_the_table_is_the_same(
    scheduler, start_worker, tmp_path, data_root, tiny_study
):
    first, _ = start_worker(), start_worker()
    cluster = Cluster(scheduler, tmp_path / "runs", data_root)
    study = open_study(SHIPPED / "tiny.toml", tmp_path / "runs")
    killed = False
    for progress in run_study(study, tmp_path / "runs", data_root, cluster):
        if progress.done >= 1 and not killed:
            os.kill(first.pid, signal.SIGKILL)
            killed = True
    assert (progress.done, progress.failed) == (6, 0)
    assert killed
    assert study.state is StudyState.DONE
    assert without_circumstances(study.rows) == without_circumstances(tiny_study[0].rows)
    assert study.epochs == tiny_study[0].epochs
    for row in study.rows:
        weights = [root / row.run / "model.safetensors" for root in (tmp_path / "runs", tiny_study[1])]
        assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.soak
def test_without_shared_storage_runs_come_back_over_the_wire(
    scheduler, start_worker, tmp_path, data_root, tiny_study, monkeypatch
):
    start_worker(TRIGGERSCOPE_DATA=str(tmp_path / "own data"), TMPDIR=str(make(tmp_path / "own")))
    # The worker looks for the mark under another name, as it would on a machine that lacks this folder.
    monkeypatch.setattr(Cluster, "_mark", lambda cluster: contextlib.nullcontext("nowhere"))
    root = tmp_path / "runs"
    study = open_study(SHIPPED / "tiny.toml", root)
    *_, last = run_study(study, root, data_root, Cluster(scheduler, root, data_root))
    assert (last.done, last.failed) == (6, 0)
    assert without_circumstances(study.rows) == without_circumstances(tiny_study[0].rows)
    assert all(read_cell(cell, root) is not None for cell in plan_cells(study.spec))


@pytest.mark.soak
def test_stopping_a_study_ends_the_training_under_way(scheduler, start_worker, tmp_path, data_root):
    start_worker()
    text = (SHIPPED / "tiny.toml").read_text().replace("epochs = [2]", "epochs = [900]")
    (tmp_path / "long.toml").write_text(text)
    root = tmp_path / "runs"
    study = open_study(tmp_path / "long.toml", root)
    way = run_study(study, root, data_root, Cluster(scheduler, root, data_root))
    until = time.monotonic() + 120
    while not list(root.glob("*/events.jsonl")) and time.monotonic() < until:
        next(way)
    began = time.monotonic()
    way.close()
    (events,) = root.glob("*/events.jsonl")
    while '"cancelled"' not in events.read_text() and time.monotonic() < began + 60:
        time.sleep(0.1)
    assert '"cancelled"' in events.read_text()
    assert study.state is StudyState.STOPPED


def make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_where_nobody_answers_there_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="No Dask scheduler answers at tcp://127"):
        Cluster("tcp://127.0.0.1:9", tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"torch": "2.14.0"}, "has torch 2.14.0, and here it is 2.15.0"),
        ({"code": "xyz"}, "has Triggerscope xyz"),
        ({"threads": 2}, "--nthreads 1"),
        ({"device": "cuda"}, "cpu in float32 and cuda in float32"),
    ],
)
def test_workers_that_are_unlike_get_a_sentence(change, words):
    alike = HERE | {"threads": 1}
    check_workers({"tcp://a": alike, "tcp://b": alike}, HERE)
    with pytest.raises(InputError, match=words):
        check_workers({"tcp://a": alike, "tcp://b": alike | change}, HERE)


def test_a_machine_describes_what_decides_its_results():
    described = describe_here()
    assert described.keys() == HERE.keys()
    assert "+" not in described["torch"]
    assert described == describe_here()


def test_a_run_travels_whole_and_nothing_leaves_its_directory(poisoned, tmp_path):
    files = pack(poisoned.path)
    assert {"spec.json", "result.json", "model.safetensors", "events.jsonl"} <= files.keys()
    assert "lock" not in files
    unpack(files, tmp_path / poisoned.name)
    assert pack(tmp_path / poisoned.name) == files
    with pytest.raises(InputError, match="outside"):
        unpack({"../evil": b""}, tmp_path / "run")
    assert not (tmp_path / "evil").exists()
    assert pack(tmp_path / "none") == {}
