"""Every hostile file is refused at its door, in one sentence, and leaves nothing behind."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from core.attacks.triggers.pictures import trigger_from_picture
from core.datasets.uploads import accept_upload
from core.errors import InputError
from core.runs.archive import export_run, import_run
from core.runs.load import load_model
from tests import hostile

pytest.importorskip("onnx")

DOORS = ("data set", "picture", "model", "run")


@pytest.fixture(scope="module")
def corpus(poisoned) -> dict[str, list[hostile.Hostile]]:
    found = hostile.corpus(export_run(poisoned))
    return {door: [file for file in found if file.door == door] for door in DOORS}


def refused(file: hostile.Hostile, folder: Path, digits) -> str:
    """Bring a file to its door and return the sentence; fails where it is let in, or where anything else is raised."""
    path = folder / file.name
    path.write_bytes(file.content)
    doors = {
        "data set": lambda: accept_upload(file.content, file.name, folder / "data"),
        "picture": lambda: trigger_from_picture(file.content, file.name, (1, 8, 8)),
        "model": lambda: load_model(path, digits, root=folder / "runs"),
        "run": lambda: import_run(path, folder / "runs"),
    }
    with pytest.raises(InputError) as caught:
        doors[file.door]()
    path.unlink()
    return str(caught.value)


@pytest.mark.parametrize("door", DOORS)
def test_every_file_gets_one_sentence_and_leaves_nothing(corpus, door, tmp_path, digits):
    wrong = {}
    for file in corpus[door]:
        try:
            said = refused(file, tmp_path, digits)
        except BaseException as error:
            wrong[file.name] = f"{type(error).__name__}: {error}"[:300]
            continue
        left = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
        plain = said.endswith(".") and "\n" not in said and "Traceback" not in said and str(tmp_path) not in said
        if left or not plain or len(said) > 500:
            wrong[file.name] = f"left {left}: {said}"
    assert wrong == {}
    assert not Path(hostile.CANARY).exists()


def test_the_corpus_is_as_large_as_it_should_be(corpus):
    assert sum(len(files) for files in corpus.values()) >= 40
    names = [(file.door, file.name) for files in corpus.values() for file in files]
    assert len(set(names)) == len(names)


def test_a_pickle_that_is_opened_by_pickle_itself_would_have_run(tmp_path):
    """The trap works: only so does its silence above mean anything."""
    import pickle

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hostile, "CANARY", str(tmp_path / "trace"))
        pickle.loads(pickle.dumps(hostile.Runs()))
    assert (tmp_path / "trace").exists()


def test_a_run_brought_as_a_folder_is_checked_too(poisoned, tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in ("spec.json", "result.json"):
        (folder / name).write_bytes((poisoned.path / name).read_bytes())
    (folder / "model.safetensors").symlink_to(poisoned.path / "model.safetensors")
    with pytest.raises(InputError, match=r"model\.safetensors as a link"):
        import_run(folder, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_bombs_are_refused_without_their_memory(corpus, tmp_path, digits):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for door, files in corpus.items():
        for file in files:
            if "bomb" in file.name or file.name in ("huge.safetensors", "endless-stride.pt", "compressed.pt"):
                refused(file, tmp_path, digits)
                assert door
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000 * (
        1024 if os.uname().sysname == "Darwin" else 1
    )
