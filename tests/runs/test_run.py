"""The run directory: what it says of itself, and what it refuses to read."""

from __future__ import annotations

import base64
import json
import shutil
import zlib

import pytest

from core.errors import InputError
from core.runs.event_file import LONGEST_LINE
from core.runs.library.card import card
from core.runs.root import finished_runs, load_run
from core.runs.run import DoneRun, Run, State
from core.training.events import Ended


@pytest.fixture
def run(poisoned, tmp_path):
    return Run(shutil.copytree(poisoned.path, tmp_path / poisoned.name, ignore=shutil.ignore_patterns("measures")))


def change(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_run_says_its_format_and_that_is_no_part_of_its_name(run):
    assert json.loads((run.path / "spec.json").read_text())["format"] == 1
    assert run.spec.hash == run.name


def test_a_run_of_a_later_format_is_refused_in_one_sentence(run):
    change(run.path / "spec.json", format=2, curriculum="easy first")
    with pytest.raises(InputError, match=r"^The run \w+ was made by a newer version of Triggerscope .*\.$") as refused:
        load_run(run.path)
    assert "\n" not in str(refused.value)
    assert card(Run(run.path)).problem == str(refused.value)
    assert finished_runs(run.path.parent) == []


@pytest.mark.parametrize("written_in", [None, 0, "1"])
def test_a_run_of_no_known_format_cannot_be_used(run, written_in):
    change(run.path / "spec.json", format=written_in)
    with pytest.raises(InputError, match="cannot be used"):
        load_run(run.path)


def test_a_done_run_has_a_result_and_a_model(run):
    done = run.finished()
    assert isinstance(done, DoneRun)
    assert done.result == run.result
    assert done.finished() is done
    assert not done.model().training


def test_a_run_that_failed_says_why_it_has_no_model(run):
    (run.path / "result.json").unlink()
    run.write_event(Ended("failed", "The disk is full."))
    with pytest.raises(InputError, match=r"is failed \(The disk is full\), so it has no model yet"):
        run.finished()


SHARE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10}
WRONG = {
    "a text for a number": {"clean_accuracy": SHARE | {"value": "high"}},
    "a list for a share": {"attack_success_rate": [1, 2]},
    "no accuracy": {"clean_accuracy": None},
    "a value outside of its interval": {"clean_accuracy": SHARE | {"value": 1.0}},
    "a share of no images": {"clean_accuracy": SHARE | {"n": 0}},
    "a side that is true": {"shape": [1, True, 8]},
    "a side of nothing": {"shape": [1, 0, 8]},
    "two sides": {"shape": [1, 8]},
    "a class with a very long name": {"classes": ["a" * 10_000, "b"]},
    "no classes": {"classes": []},
    "a precision nobody knows": {"votes_in": "float8"},
    "seconds as a text": {"seconds": "9.5"},
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
def test_a_result_of_wrong_types_is_damaged_and_its_card_says_so(run, fields):
    change(run.path / "result.json", **fields)
    with pytest.raises(InputError, match="is damaged"):
        run.finished()
    assert "is damaged" in card(run).problem


def write_lines(run, *lines):
    (run.path / "result.json").unlink(missing_ok=True)
    with (run.path / "events.jsonl").open("ab") as file:
        file.writelines(line + b"\n" for line in lines)


def packed_plane(labels):
    return base64.b64encode(zlib.compress(labels)).decode()


@pytest.mark.parametrize(
    "line",
    [
        b'{"event":"ended","outcome":3}',
        b'{"event":"progress","epoch":1,"share":7.0,"loss":1.0}',
        b'{"event":"progress","epoch":"one","share":0.1,"loss":1.0}',
        b'{"event":["progress"],"share":0.1}',
        b'{"event":"curriculum","stage":3}',
        b"[" * 100_000,
        b"9" * 5000,
        b"\xff\xfe",
        b"x" * (3 * LONGEST_LINE),
    ],
    ids=lambda line: line[:24].decode(errors="replace"),
)
def test_a_line_that_is_no_event_is_left_out_and_what_follows_is_read(run, line):
    before = len(run.events)
    write_lines(run, line, b'{"event":"ended","outcome":"cancelled"}')
    assert len(run.events) == before + 1
    assert run.state is State.CANCELLED


def test_an_outcome_of_a_later_version_leaves_a_run_interrupted(run):
    write_lines(run, b'{"event":"ended","outcome":"paused","because":"of the moon"}')
    assert run.state is State.INTERRUPTED
    assert card(run).state is State.INTERRUPTED


@pytest.mark.parametrize(
    "labels",
    [packed_plane(bytes(1 << 26)), packed_plane(bytes(17)), packed_plane(bytes(16))[:-8], 7, "no base 64"],
    ids=["too large", "no square", "cut off", "no text", "not packed"],
)
def test_a_plane_is_unpacked_no_further_than_a_plane_reaches(run, labels):
    epoch = json.loads((run.path / "events.jsonl").read_text().splitlines()[-1])
    assert epoch["event"] == "epoch"
    before = len(run.epochs)
    write_lines(run, json.dumps(epoch | {"plane": epoch["plane"] | {"labels": labels}}).encode())
    assert len(run.epochs) == before
