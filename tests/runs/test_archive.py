"""A run as one file: the same bytes wherever it is made, and the same run wherever it is opened."""

from __future__ import annotations

import shutil
import zipfile

import numpy as np
import pytest
import torch

from core.attacks.attack import Attack
from core.errors import InputError
from core.runs.archive import archive_name, export_run, import_run
from core.runs.library.label import write_label
from core.runs.measured.w import measure_run, page_attack_spec
from core.runs.root import create_run, list_runs
from core.runs.run import Run
from tests.conftest import digits_spec


@pytest.fixture
def packed(poisoned, tmp_path):
    path = tmp_path / archive_name(poisoned)
    path.write_bytes(export_run(poisoned))
    return path


def test_what_is_imported_is_what_was_exported(packed, poisoned, tmp_path, data_root):
    found = import_run(packed, tmp_path / "runs")
    assert found.is_new
    assert (found.run.name, found.run.spec) == (poisoned.name, poisoned.spec)
    assert found.run.result == poisoned.result
    assert len(found.run.epochs) == len(poisoned.epochs)
    ours, theirs = (run.model().state_dict() for run in (poisoned, found.run))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    spec = page_attack_spec(Attack(trigger=poisoned.trigger, target=0), 0.5)
    assert np.array_equal(*(measure_run(run, spec, data_root).clean.votes for run in (poisoned, found.run)))
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [poisoned.name]


def test_the_same_run_gives_the_same_bytes(packed, tmp_path):
    first, second = (import_run(packed, tmp_path / name).run for name in ("a", "b"))
    (second.path / "spec.json").touch()
    (second.path / "lock").touch()
    (second.path / "measures").mkdir()
    assert export_run(first) == export_run(second) == packed.read_bytes()


def test_it_holds_no_folders_dates_or_compression(packed):
    with zipfile.ZipFile(packed) as archive:
        members = archive.infolist()
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}
    assert {member.compress_type for member in members} == {zipfile.ZIP_STORED}
    assert not [member.filename for member in members if "/" in member.filename]


def test_a_run_that_is_here_stays_as_it_is(packed, poisoned, tmp_path):
    run = import_run(packed, tmp_path / "runs").run
    write_label(run, "mine", [], "")
    (run.path / "model.safetensors").write_bytes(b"changed on purpose")
    again = import_run(packed, tmp_path / "runs")
    assert not again.is_new
    assert (run.path / "model.safetensors").read_bytes() == b"changed on purpose"
    assert len(list_runs(tmp_path / "runs")) == 1


def test_one_that_is_here_but_not_done_is_named(packed, tmp_path):
    unfinished = create_run(digits_spec(), tmp_path / "runs")
    with pytest.raises(InputError, match=f"{unfinished.name}, which is here but interrupted"):
        import_run(packed, tmp_path / "runs")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [unfinished.name]


def test_a_name_tags_and_note_travel_along(poisoned, tmp_path):
    copy = Run(tmp_path / poisoned.name)
    shutil.copytree(poisoned.path, copy.path)
    write_label(copy, "The mail's model", ["mail"], "first line\nsecond")
    (tmp_path / "a.zip").write_bytes(export_run(copy))
    found = import_run(tmp_path / "a.zip", tmp_path / "runs").run
    assert (found.path / "label.json").read_bytes() == (copy.path / "label.json").read_bytes()


def test_a_runs_folder_can_be_imported_too(poisoned, tmp_path):
    found = import_run(poisoned.path, tmp_path / "runs")
    assert found.run.result == poisoned.result
    assert export_run(found.run) == export_run(poisoned)


def test_only_a_finished_run_can_be_exported(tmp_path):
    with pytest.raises(InputError, match="interrupted: only a finished run"):
        export_run(create_run(digits_spec(), tmp_path))


def test_a_file_that_is_not_there_is_told_from_a_damaged_one(packed, tmp_path):
    with pytest.raises(InputError, match=r"no\.zip can't be opened \(No such file or directory\): check its path\.$"):
        import_run(tmp_path / "no.zip", tmp_path / "runs")
    packed.write_bytes(packed.read_bytes()[:1000])
    with pytest.raises(InputError, match="copy the whole file again"):
        import_run(packed, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_where_runs_cannot_be_stored_is_said(packed, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="cannot be written"):
        import_run(packed, tmp_path / "file")
