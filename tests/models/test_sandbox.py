"""Whatever happens to a reader in its process apart, it costs one sentence."""

from __future__ import annotations

import sys
import time

import psutil
import pytest

from core.errors import InputError
from core.models.foreign.sandbox import Sandbox


@pytest.fixture
def sandbox():
    with Sandbox("tests.models.misbehaving", "gift.pt", "give another", 2**28) as sandbox:
        yield sandbox


def test_values_and_bytes_come_back(sandbox):
    for text in ("a", "ü"):
        answer = sandbox.ask("echo", {"text": text}, b"12345", seconds=10, expected=5)
        assert answer == ({"text": text}, b"12345")


def test_a_refusal_is_one_short_printable_sentence_and_the_process_goes_on(sandbox):
    with pytest.raises(InputError) as caught:
        sandbox.ask("refuse", {}, seconds=10)
    assert str(caught.value).startswith("a?[2Jb")
    assert len(str(caught.value)) <= 600
    assert sandbox.ask("echo", {"text": "still here"}, seconds=10)[0] == {"text": "still here"}


@pytest.mark.parametrize("method", ["crash", "fail", "forge"])
def test_a_crash_is_one_sentence(sandbox, method):
    with pytest.raises(InputError, match=r"^gift\.pt makes its reader crash.*: give another\.$"):
        sandbox.ask(method, {}, seconds=10)
    assert sandbox.is_closed
    with pytest.raises(InputError, match=r"^gift\.pt"):
        sandbox.ask("echo", {"text": "a"}, seconds=10)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
def test_memory_is_limited(sandbox):
    with pytest.raises(InputError, match=r"more than 0\.2 GB of memory: give another\.$"):
        sandbox.ask("allocate", {}, seconds=30)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_no_file_is_written(sandbox, tmp_path):
    with pytest.raises(InputError, match=r"^gift\.pt"):
        sandbox.ask("write", {"path": str(tmp_path / "file")}, seconds=10)
    assert not (tmp_path / "file").exists() or (tmp_path / "file").stat().st_size == 0


def test_time_is_limited(sandbox):
    sandbox.ask("echo", {"text": "started"}, seconds=10)
    began = time.monotonic()
    with pytest.raises(InputError, match=r"^gift\.pt took longer than 1 s .*: give another\.$"):
        sandbox.ask("sleep", {}, seconds=1)
    assert time.monotonic() - began < 10


def test_an_answer_of_another_length_is_no_answer(sandbox):
    with pytest.raises(InputError, match=r"^gift\.pt"):
        sandbox.ask("echo", {"text": "a"}, b"12345", seconds=10, expected=4)


def test_it_ends_with_its_owner():
    before = set(psutil.Process().children())
    sandbox = Sandbox("tests.models.misbehaving", "gift.pt", "give another", 2**28)
    (child,) = set(psutil.Process().children()) - before
    assert child.is_running()
    del sandbox
    assert not child.is_running()
