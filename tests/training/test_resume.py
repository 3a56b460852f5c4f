"""Trainings that are stopped, by whatever, and go on: to the same weights, bit for bit, and the same epochs."""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import core.files
import core.runs.jobs.worker
import core.training.watch
from core.datasets import Dataset, Split
from core.errors import InputError
from core.models import build_model
from core.runs.event_file import to_line
from core.runs.jobs.queue import Queue
from core.runs.jobs.worker import train_locked
from core.runs.root import create_run, list_runs
from core.runs.run import Run, State
from core.training.checkpoint import read_checkpoint, restore, take_checkpoint, write_checkpoint
from core.training.events import Ended, Epoch, Note, Progress, Started, remaining_seconds
from core.training.loop import Finished, Pause, make_optimiser, train
from tests.conftest import digits_spec
from tests.kill_points import WATCH_DRAWS, some_digits

ROOT = Path(__file__).parents[2]
KILL_POINTS = 5  # of each kind


@pytest.fixture(scope="module")
def tiny():
    """Ninety 8x8 images of three classes that differ in brightness, so that a network has something to learn."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 3
    images = torch.randint(0, 90, (90, 1, 8, 8), generator=generator, dtype=torch.uint8)
    split = Split(images + (80 * labels).to(torch.uint8)[:, None, None, None], labels)
    return Dataset("tiny", ("dark", "grey", "bright"), split, split, "tiny-1")


def tiny_spec(**values):
    return digits_spec(dataset="tiny", fingerprint="tiny-1", batch_size=16, **{"epochs": 4} | values)


def attempt(run, data, on_event=None):
    """Train a run as a worker does, and keep a checkpoint of every epoch."""
    with run.locked() as mine:
        assert mine
        run.queue()
        train_locked(run, lambda _: data, on_event)


@pytest.fixture(scope="module", autouse=True)
def every_epoch_pays():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core.runs.jobs.worker, "CHECKPOINT_COST_RATIO", 0)
        patch.setattr(core.training.watch, "WATCH_DRAWS", WATCH_DRAWS)
        yield


@pytest.fixture(scope="module")
def undisturbed(tiny, tmp_path_factory, every_epoch_pays):
    run = create_run(tiny_spec(), tmp_path_factory.mktemp("undisturbed"))
    attempt(run, tiny)
    return run


@pytest.fixture(scope="module")
def stopped_once(tiny, tmp_path_factory, every_epoch_pays):
    run = create_run(tiny_spec(), tmp_path_factory.mktemp("stopped"))
    attempt(run, tiny, cancel_after(run, 2))
    assert run.state is State.CANCELLED
    return run


@pytest.fixture
def stopped(stopped_once, tmp_path):
    """A run that was cancelled after its second epoch."""
    return Run(shutil.copytree(stopped_once.path, tmp_path / stopped_once.name))


def cancel_after(run, epoch):
    def on_event(event):
        if isinstance(event, Epoch) and event.epoch == epoch:
            (run.path / "cancel").touch()

    return on_event


def bits(run):
    return (run.path / "model.safetensors").read_bytes()


def epochs_without_times(run):
    return [json.loads(to_line(epoch)) | {"seconds": None} for epoch in run.epochs]


def assert_same(run, undisturbed):
    assert run.state is State.DONE
    assert bits(run) == bits(undisturbed)
    assert epochs_without_times(run) == epochs_without_times(undisturbed)
    left = {path.name for path in run.path.iterdir()}
    assert left <= {"spec.json", "events.jsonl", "model.safetensors", "result.json", "lock"}


def began_after(run):
    return [event.after for event in run.events if isinstance(event, Started)]


def notes(run):
    return [event.text for event in run.events if isinstance(event, Note)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_worker_killed_at_ten_points_leaves_runs_that_end_with_the_same_bits(tmp_path, data_root, monkeypatch):
    monkeypatch.setattr(Queue, "_start_worker", lambda jobs: None)
    spec = digits_spec(epochs=3)
    reference = create_run(spec, tmp_path / "undisturbed")
    attempt(reference, some_digits(data_root))
    draw, continued = random.Random(4), 0
    with worker_to_kill(data_root) as work:
        calls = work(submitted(spec, tmp_path / "counted"), "all", None)["calls"]
        points = [(among, draw.randrange(1, calls[among])) for among in ("all", "writing") for _ in range(KILL_POINTS)]
        for number, (among, point) in enumerate(points):
            root = submitted(spec, tmp_path / str(number))
            run = Run(root / spec.hash)
            assert work(root, among, point)["killed"]
            assert run.state in (State.INTERRUPTED, State.QUEUED, State.DONE)
            continued += run.checkpoint() is not None
            submitted(spec, root)
            work(root, "all", None)
            assert_same(run, reference)
    assert continued >= 3


def submitted(spec, root):
    Queue(root, root).submit(spec)
    return root


class worker_to_kill:  # noqa: N801
    """A process that answers each call by forking a worker; see tests/kill_points.py."""

    def __init__(self, data_root):
        self.command = [sys.executable, "-m", "tests.kill_points", str(data_root)]

    def __enter__(self):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(self.command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        return self.work

    def work(self, root, among, kill_at):
        print(json.dumps({"root": str(root), "among": among, "kill_at": kill_at}), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


@pytest.mark.parametrize(
    "values",
    [
        {"optimiser": "sgd", "augmentation": "shift-flip"},
        {"optimiser": "sgd", "precision": "float32"},
        {"augmentation": "shift", "architecture": "mlp"},
        {"rate": 0.0},
    ],
)
def test_a_training_taken_up_from_any_pause_gives_the_same_weights(tiny, tmp_path, values):
    spec = tiny_spec(**{"epochs": 3} | values)
    whole, paths = None, []
    for event in train(spec, tiny):
        if isinstance(event, Pause):
            paths.append(tmp_path / str(event.epoch))
            write_checkpoint(paths[-1], event.checkpoint(), spec.hash)
        elif isinstance(event, Finished):
            whole = event.model.state_dict()
    assert len(paths) == spec.epochs - 1
    for path in paths:
        rest = list(train(spec, tiny, read_checkpoint(path, spec.hash)))
        again = rest[-1].model.state_dict()
        assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_moments_come_back_in_the_order_in_which_their_weights_lie_in_memory(tiny):
    spec = tiny_spec()
    pause = next(event for event in train(spec, tiny) if isinstance(event, Pause))
    checkpoint = pause.checkpoint()
    model = build_model(spec.architecture, tiny.shape, 3).to(memory_format=torch.channels_last)
    optimiser = make_optimiser(spec, model)
    restore(checkpoint, model, optimiser)
    again = take_checkpoint(1, model, optimiser)
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in checkpoint.tensors.items())
    assert again.tensors.keys() == checkpoint.tensors.keys()
    strides = [
        (weight.stride(), optimiser.state[weight]["exp_avg"].stride())
        for weight in model.parameters()
        if weight.ndim == 4 and weight.shape[1] > 1
    ]
    assert strides
    assert all(mine == its and not weight_is_plain(mine) for mine, its in strides)


def weight_is_plain(stride):
    return stride[-1] == 1


def test_a_checkpoint_is_a_copy(tiny):
    training = train(tiny_spec(), tiny)
    checkpoint = next(event for event in training if isinstance(event, Pause)).checkpoint()
    before = {name: tensor.clone() for name, tensor in checkpoint.tensors.items()}
    assert next(event for event in training if isinstance(event, Pause)).epoch == 2
    assert all(torch.equal(before[name], tensor) for name, tensor in checkpoint.tensors.items())


def test_cancel_keeps_what_was_reached_and_the_next_attempt_goes_on_from_there(stopped, undisturbed, tiny):
    assert stopped.checkpoint().epoch == 2
    assert [epoch.epoch for epoch in stopped.epochs] == [1, 2]
    attempt(stopped, tiny)
    assert_same(stopped, undisturbed)
    assert began_after(stopped) == [0, 2]
    assert notes(stopped) == []
    seconds = sum(epoch.seconds for epoch in stopped.epochs)
    assert seconds * 0.9 < stopped.result.seconds
    assert stopped.checkpoint() is None


def test_the_keyboard_keeps_it_too(undisturbed, tiny, tmp_path):
    def press(event):
        if isinstance(event, Epoch) and event.epoch == 3:
            raise KeyboardInterrupt

    run = create_run(tiny_spec(), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        attempt(run, tiny, press)
    assert run.state is State.CANCELLED
    attempt(run, tiny)
    assert_same(run, undisturbed)
    assert began_after(run) == [0, 2]


def test_events_that_the_checkpoint_does_not_reach_are_replaced_and_cut_off_lines_forgotten(undisturbed, stopped, tiny):
    whole = b"".join(to_line(event).encode() for event in undisturbed.events[:4])  # started, three epochs
    (stopped.path / "events.jsonl").write_bytes(whole + whole[:60])
    attempt(stopped, tiny)
    assert_same(stopped, undisturbed)
    assert began_after(stopped) == [0, 2]


@pytest.mark.parametrize("seed", range(4))
def test_events_cut_at_any_byte_lead_to_the_same_end(undisturbed, stopped, tiny, seed):
    content = (stopped.path / "events.jsonl").read_bytes()
    cut = random.Random(seed).randrange(len(content))
    (stopped.path / "events.jsonl").write_bytes(content[:cut] + b"\0" * (seed % 2) * 7)
    reached = len(stopped.epochs)
    attempt(stopped, tiny)
    assert_same(stopped, undisturbed)
    assert began_after(stopped) == ([0, 2] if reached == 2 else [0])
    assert bool(notes(stopped)) == (reached < 2)


def test_an_event_after_a_cut_off_line_can_be_read(stopped):
    with (stopped.path / "events.jsonl").open("ab") as file:
        file.write(b'{"event":"progress","epo')
    assert isinstance(stopped.events[-1], Ended)
    stopped.write_event(Note("here"))
    stopped.write_event(Note("there"))
    assert notes(stopped) == ["here", "there"]


def truncated(path, _):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path, _):
    path.write_bytes(b"")


def noise(path, _):
    path.write_bytes(random.Random(0).randbytes(5000))


def zeros(path, _):
    path.write_bytes(bytes(path.stat().st_size))


def huge_header(path, _):
    path.write_bytes((2**62).to_bytes(8, "little") + b"{}")


def flipped_bit(path, _):
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)


def of_another_run(path, tiny):
    spec = tiny_spec(seed=5)
    pause = next(event for event in train(spec, tiny) if isinstance(event, Pause))
    write_checkpoint(path, pause.checkpoint(), spec.hash)


def of_another_model(path, tiny):
    spec = tiny_spec(architecture="mlp")
    pause = next(event for event in train(spec, tiny) if isinstance(event, Pause))
    write_checkpoint(path, pause.checkpoint(), tiny_spec().hash)


def of_another_optimiser(path, tiny):
    spec = tiny_spec(optimiser="sgd")
    pause = next(event for event in train(spec, tiny) if isinstance(event, Pause))
    write_checkpoint(path, pause.checkpoint(), tiny_spec().hash)


def plain_weights(path, _):
    save_file({"weight": torch.zeros(3)}, path)


@pytest.mark.parametrize(
    "spoil",
    [
        truncated,
        empty,
        noise,
        zeros,
        huge_header,
        flipped_bit,
        of_another_run,
        of_another_model,
        of_another_optimiser,
        plain_weights,
    ],
)
def test_a_checkpoint_that_cannot_be_used_is_ignored_with_a_note(undisturbed, stopped, tiny, spoil):
    spoil(stopped.path / "checkpoint.safetensors", tiny)
    attempt(stopped, tiny)
    assert_same(stopped, undisturbed)
    assert len(notes(stopped)) == 1
    assert notes(stopped)[0].startswith("The checkpoint is ")
    assert notes(stopped)[0].endswith("began anew.")


def test_a_training_that_went_on_with_another_torch_says_so(undisturbed, stopped, tiny):
    path = stopped.path / "checkpoint.safetensors"
    kept = read_checkpoint(path, stopped.name)
    write_checkpoint(path, type(kept)(kept.epoch, kept.tensors, "2.11.0"), stopped.name)
    attempt(stopped, tiny)
    assert_same(stopped, undisturbed)
    assert "2.11.0" in notes(stopped)[0]


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_too_full_for_checkpoints_is_noted_once_and_training_goes_on(undisturbed, tiny, tmp_path, monkeypatch):
    run = create_run(tiny_spec(), tmp_path)
    monkeypatch.setattr(Run, "save_checkpoint", full)
    attempt(run, tiny)
    assert_same(run, undisturbed)
    assert len(notes(run)) == 1
    assert "No space left" in notes(run)[0]


def test_a_disk_too_full_for_the_weights_gives_a_sentence_no_half_run_and_a_way_on(
    undisturbed, tiny, tmp_path, monkeypatch
):
    run = create_run(tiny_spec(), tmp_path)

    def full_in_the_end(file):
        if len(run.epochs) == 4:
            full()

    with monkeypatch.context() as patch:
        patch.setattr(core.files, "settle", full_in_the_end)
        with pytest.raises(InputError, match=r"is full: free some space there, then try again\.$"):
            attempt(run, tiny)
    assert run.state is State.FAILED
    assert "is full" in run.events[-1].reason
    assert {path.name for path in run.path.iterdir()} <= {"spec.json", "events.jsonl", "lock", "checkpoint.safetensors"}
    with pytest.raises(InputError, match="no model yet"):
        run.finished()
    attempt(run, tiny)
    assert_same(run, undisturbed)
    assert began_after(run) == [0, 3]


def test_a_disk_too_full_for_events_gives_a_sentence_and_a_way_on(undisturbed, tiny, tmp_path, monkeypatch):
    run = create_run(tiny_spec(), tmp_path)
    write = Run.write_event

    def full_after_two(run, event):
        if len(run.epochs) == 2:
            full()
        write(run, event)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "write_event", full_after_two)
        with pytest.raises(InputError, match="is full"):
            attempt(run, tiny)
    assert run.state is State.INTERRUPTED
    attempt(run, tiny)
    assert_same(run, undisturbed)


def test_a_disk_too_full_for_a_new_run_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(core.files, "settle", full)
    with pytest.raises(InputError, match="is full"):
        create_run(tiny_spec(), tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="is full"):
        Queue(tmp_path, tmp_path).submit(tiny_spec())
    assert list_runs(tmp_path) == []
    assert Queue(tmp_path, tmp_path).waiting() == []


@pytest.fixture
def nobody():
    """Be a user whom permissions bind: as root, nobody; with a folder that nobody can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, 65534)
        os.seteuid(65534)
        yield folder
        os.seteuid(0)
    else:
        yield folder
    for path in folder.rglob("*"):
        path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs permissions as POSIX has them")
def test_a_read_only_run_gets_a_sentence_from_training_it_and_from_the_worker(nobody, tiny, monkeypatch, capsys):
    monkeypatch.setattr(Queue, "_start_worker", lambda jobs: None)
    jobs = Queue(nobody / "runs", nobody)
    run = jobs.submit(tiny_spec())
    run.path.chmod(0o555)
    with pytest.raises(InputError, match=r"cannot be written \(Permission denied\): see to it") as caught:
        attempt(run, tiny)
    assert "\n" not in str(caught.value)
    assert "--runs" not in str(caught.value), "another root would not make this run writable"
    assert not jobs._work_on_next(None)
    assert "cannot be written" in capsys.readouterr().err
    assert jobs.waiting() == []
    assert run.state is State.INTERRUPTED
    with pytest.raises(InputError, match="cannot be written"):
        jobs.submit(tiny_spec())
    assert jobs.waiting() == []
    jobs.root.chmod(0o555)
    with pytest.raises(InputError, match="cannot be written"):
        jobs.submit(tiny_spec(seed=3))


def test_time_left_counts_what_an_earlier_attempt_did_as_done(undisturbed):
    halfway = undisturbed.epochs[1]
    events = [Started(0.0), halfway, Started(1000.0, 2)]
    assert remaining_seconds(events, 1001.0) is None
    assert remaining_seconds([*events, Progress(3, 0.6, 1.0)], 1010.0) == pytest.approx(40.0)


def test_progress_is_thinned_out_so_that_hours_of_training_stay_a_small_file(tmp_path, monkeypatch):
    run, clock, heard = create_run(tiny_spec(), tmp_path), [0.0], []
    monkeypatch.setattr(core.runs.jobs.worker.time, "monotonic", lambda: clock[0])
    log = core.runs.jobs.worker._EventLog(run, heard.append)
    times = 4 * 3600 * 4
    monkeypatch.setattr(Run, "write_event", lambda run, event: written.append((clock[0], event)))
    written = []
    for step in range(times):
        clock[0] = step / 4
        log.tell(Progress(1, step / times, 1.0))
    assert len(heard) == times
    assert 1000 < len(written) < 3000
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(written)]
    assert max(gaps[:20]) <= 1.0
    assert all(gap <= 0.5 + moment / 300 for gap, (moment, _) in zip(gaps, written, strict=False))


def test_the_same_weights_are_stored_as_were_trained(undisturbed, tiny):
    trained = next(event for event in train(tiny_spec(), tiny) if isinstance(event, Finished)).model.state_dict()
    stored = load_file(undisturbed.path / "model.safetensors")
    assert all(torch.equal(stored[name], tensor) for name, tensor in trained.items())
