"""Files that are whole or not there, and what people are told when the disk refuses."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import core.files
from core.attacks.attack import Attack
from core.attacks.patterns import PatternSpec
from core.attacks.triggers import make_preset
from core.attacks.triggers.library import TriggerLibrary
from core.files import newest_first, refusal, whole_file, write_whole
from core.runs.measured.patterns import EffectSpec, PatternFinding, kept_pattern
from core.runs.measured.w import kept_measurement, page_attack_spec, stored_measurement
from core.runs.root import root_refusal
from core.runs.run import Run
from core.studies.tables import write_tables
from tests.runs.test_measured_w import made_up
from tests.studies.test_claims import table

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
FORBIDDEN = OSError(errno.EACCES, os.strerror(errno.EACCES))


def full(*_):
    raise FULL


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_two_writers_of_one_file_do_not_meet_and_the_last_one_wins(tmp_path):
    path = tmp_path / "file"
    with whole_file(path) as outer:
        outer.write(b"outer")
        with whole_file(path) as inner:
            inner.write(b"inner, and longer")
        assert path.read_bytes() == b"inner, and longer"
    assert path.read_bytes() == b"outer"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: write_whole(path, bytes([number]) * 5000), range(200)))
    assert len(set(path.read_bytes())) == 1
    assert len(path.read_bytes()) == 5000
    assert names(tmp_path) == ["file"]


def test_a_writer_that_fails_leaves_what_was_there_and_nothing_beside_it(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"before")
    with pytest.raises(TypeError), whole_file(path) as file:
        file.writelines([b"half", None])
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["file"]


def test_the_disk_has_all_of_it_before_it_appears(tmp_path, monkeypatch):
    settled = []
    monkeypatch.setattr(core.files, "settle", lambda file: settled.append(os.fstat(file).st_size))
    write_whole(tmp_path / "small", b"few bytes")
    assert settled == [9]


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_others_may_read_it_as_any_file(tmp_path):
    write_whole(tmp_path / "whole", b"")
    (tmp_path / "any").touch()
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_everything_that_is_kept_is_kept_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(core.files, "settle", full)
    made_up.trigger = make_preset("white-corner", (1, 8, 8))
    measurement = made_up([[9, 1]], [[5, 5]], [[1, 9]])
    finding = PatternFinding(1.0, 0.0, None, np.zeros((1, 2, 1, 8, 8), np.uint8))
    kept_measurement(measurement.spec).store(Run(tmp_path), measurement)
    assert stored_measurement(Run(tmp_path), measurement.spec) is None
    pattern = kept_pattern(EffectSpec(PatternSpec("pgd"), sigma=0.5))
    pattern.store(Run(tmp_path), finding)
    assert pattern.look_up(Run(tmp_path)) is None
    for write in (
        lambda: write_tables(tmp_path, "table", table(lambda asr, sigma: asr)),
        lambda: write_whole(tmp_path / "file", b"content"),
    ):
        with pytest.raises(OSError, match="No space"):
            write()
    with pytest.raises(ValueError, match="No space"):
        TriggerLibrary(tmp_path).save(made_up.trigger, "dot")
    assert names(tmp_path) == []


def test_measurements_that_are_stored_twice_at_once_are_whole(tmp_path):
    made_up.trigger = make_preset("white-corner", (1, 8, 8))
    measurement = made_up([[9, 1]] * 50, [[5, 5]] * 50, [[1, 9]] * 9)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: kept_measurement(measurement.spec).store(Run(tmp_path), measurement), range(40)))
    again = stored_measurement(Run(tmp_path), measurement.spec)
    assert np.array_equal(again.clean.votes, measurement.clean.votes)
    assert names(tmp_path) == [f"w-{measurement.spec.hash}.npz"]
    assert stored_measurement(Run(tmp_path), page_attack_spec(Attack(trigger=made_up.trigger, target=1), 0.5)) is None


def test_a_file_that_was_deleted_meanwhile_is_left_out(tmp_path):
    for name, time in (("old", 1), ("new", 2)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
    assert newest_first([tmp_path / name for name in ("old", "gone", "new")]) == [tmp_path / "new", tmp_path / "old"]


@pytest.mark.parametrize("error", [FULL, FORBIDDEN, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))])
def test_a_refusal_fits_whoever_wanted_to_write(error):
    said = str(refusal(error, Path("/some/folder")))
    assert "/some/folder" in said
    assert said.endswith(".")
    for advice in ("--runs", "training", "another folder"):
        assert advice not in said


def test_only_where_all_runs_live_may_be_another_folder():
    assert str(root_refusal(FORBIDDEN, Path("/runs"))).endswith("another folder with --runs or TRIGGERSCOPE_RUNS.")
    assert str(root_refusal(FULL, Path("/runs"))) == str(refusal(FULL, Path("/runs")))
