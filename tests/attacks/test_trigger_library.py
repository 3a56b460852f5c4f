"""The library of saved triggers: what is saved comes back, deletions can be undone, and no name reaches outside."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from core.attacks.triggers import Additive, Sinusoid, Warp, make_preset
from core.attacks.triggers.library import KEPT, TriggerLibrary
from core.errors import InputError

CORNER = make_preset("white-corner", (1, 8, 8))
NAMES = ["a", "Mein Auslöser", "../../etc/passwd", "a/b", "..", ".", "CON", "x" * 40, "*?<>|:\"'", "🐸 frog"]


@pytest.fixture
def library(tmp_path):
    return TriggerLibrary(tmp_path / "deep" / "triggers")


def names(library):
    return [one.name for one in library.saved()]


def test_every_kind_comes_back_under_its_name_sorted(library):
    pattern = Additive.from_pattern(np.random.default_rng(0).uniform(-0.1, 0.1, (1, 8, 8)))
    kept = {"corner": CORNER, "Blend": make_preset("blend", (3, 32, 32)), "stripes": Sinusoid(), "warp": Warp()}
    kept["added"] = pattern
    for name, trigger in kept.items():
        library.save(trigger, name)
    again = TriggerLibrary(library.folder)
    assert names(again) == ["added", "Blend", "corner", "stripes", "warp"]
    for name, trigger in kept.items():
        assert again.get(name).trigger == trigger
        assert again.get(name).trigger.name == name


def test_an_empty_library_has_no_folder_yet(library):
    assert library.saved() == []
    assert not library.folder.exists()


@pytest.mark.parametrize("name", NAMES)
def test_whatever_a_name_holds_its_file_stays_in_the_folder(library, name, tmp_path):
    library.save(CORNER, f"  {name} ")
    assert names(library) == [name]
    library.rename(name, "other")
    library.rename("other", name)
    library.delete(name)
    assert library.undelete(name).name == name
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.parent for path in files] == [library.folder]


@pytest.mark.parametrize("name", ["", "   ", "x" * 41, "two\nlines", "nul\0", "\u202e"])
def test_a_name_that_nobody_could_read_gets_a_sentence(library, name):
    with pytest.raises(InputError, match="1 to 40 letters"):
        library.save(CORNER, name)
    assert not library.folder.exists()


def test_a_name_is_taken_once_whatever_its_case(library):
    library.save(CORNER, "Dot")
    library.save(Warp(), "other")
    for attempt in (lambda: library.save(Warp(), "dOT"), lambda: library.rename("other", "dot")):
        with pytest.raises(InputError, match="already a saved trigger"):
            attempt()
    assert library.get("dot").trigger == CORNER
    assert library.rename("Dot", "DOT").name == "DOT"
    assert names(library) == ["DOT", "other"]


def test_a_deletion_is_undone_whole_unless_the_name_is_taken_by_now(library):
    library.save(CORNER, "dot")
    library.delete("dot")
    assert names(library) == []
    with pytest.raises(InputError, match="no saved trigger"):
        library.get("dot")
    assert library.undelete("dot").trigger == CORNER
    library.delete("dot")
    library.save(Warp(), "dot")
    with pytest.raises(InputError, match="by now"):
        library.undelete("dot")
    assert library.get("dot").trigger == Warp()


def test_what_does_not_exist_gets_a_sentence(library):
    for attempt in (library.get, library.delete, library.undelete, lambda name: library.rename(name, "x")):
        with pytest.raises(InputError):
            attempt("nothing")


def test_only_the_last_deleted_are_kept(library):
    seen = set()
    for number in range(KEPT + 3):
        library.save(CORNER, f"{number}")
        library.delete(f"{number}")
        for path in (library.folder / ".deleted").glob("*.json"):
            if path.name not in seen:
                os.utime(path, (number, number))
                seen.add(path.name)
    assert library.undelete("3").name == "3"
    with pytest.raises(InputError, match="last deleted"):
        library.undelete("2")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"name": "x"}', '{"name": "x", "trigger": {"kind": "warp", "k": 1}}', "[" * 100_000],
)
def test_a_file_that_is_no_trigger_is_left_out_and_left_alone(library, content):
    library.save(CORNER, "good")
    stray = library.folder / "stray.json"
    stray.write_text(content)
    assert names(library) == ["good"]
    assert stray.read_text() == content


def test_a_damaged_file_in_the_way_is_not_overwritten(library):
    library.save(CORNER, "dot")
    (path,) = library.folder.glob("*.json")
    path.write_text("damaged")
    library.save(Warp(), "dot")
    assert library.get("dot").trigger == Warp()
    assert path.read_text() == "damaged"
    library.delete("dot")
    assert library.undelete("dot").trigger == Warp()


def test_a_file_that_somebody_sent_is_found_whatever_it_is_called(library):
    library.save(CORNER, "dot")
    (path,) = library.folder.glob("*.json")
    content = json.loads(path.read_text())
    path.rename(library.folder / "from a friend.json")
    assert names(library) == ["dot"]
    assert library.get("dot").trigger == CORNER
    library.rename("dot", "mine")
    assert names(library) == ["mine"]
    library.delete("mine")
    assert content["name"] == "dot"
    assert names(library) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_folder_that_cannot_be_written_gets_a_sentence(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be written"):
        TriggerLibrary(folder).save(CORNER, "dot")


def test_a_folder_that_is_a_file_gets_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        TriggerLibrary(tmp_path / "file").save(CORNER, "dot")
