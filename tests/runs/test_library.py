"""The library: what it shows of runs, finding them, naming them, deleting and bringing back."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from core.attacks.attack import Attack
from core.attacks.triggers import Trigger, make_formula, make_preset
from core.errors import InputError
from core.figures.trigger_picture import trigger_picture
from core.runs.library.bin import bring_back, delete_run, deleted_runs, empty_bin
from core.runs.library.card import Card, card, card_titles, stamp
from core.runs.library.label import Label, read_label, write_label
from core.runs.library.search import find_cards
from core.runs.measured.w import measure_run, page_attack_spec
from core.runs.root import create_run, finished_runs, list_runs, load_run
from core.runs.run import Run
from tests.conftest import digits_spec


@pytest.fixture
def root(tmp_path, poisoned, control):
    """Return a folder with the poisoned run, its control, and one that never began."""
    for run in (poisoned, control):
        shutil.copytree(run.path, tmp_path / run.name, ignore=shutil.ignore_patterns("measures"))
    create_run(digits_spec(seed=9), tmp_path)
    return tmp_path


def all_cards(root) -> list[Card]:
    return [card(run) for run in list_runs(root)]


def named(cards) -> list[str]:
    return [one.run.name for one in cards]


def test_cards_tell_what_a_run_is(root, poisoned, control):
    cards = {one.run.name: one for one in all_cards(root)}
    assert len(cards) == 3
    assert cards[poisoned.name].title == "digits: White corner → 0, 10%"
    assert cards[control.name].title == "digits: control"
    assert cards[poisoned.name].result == poisoned.result
    assert [one.state for one in cards.values() if one.result is None] == ["interrupted"]
    assert cards[poisoned.name].size > 300_000


def test_the_gap_is_the_measured_one(root, poisoned, data_root):
    run = Run(root / poisoned.name)
    assert card(run).gap is None
    before = stamp(run)
    measured = measure_run(run, page_attack_spec(Attack(trigger=poisoned.trigger, target=0), 0.75), data_root)
    assert stamp(run) != before
    assert (card(run).gap, card(run).gap_sigma) == (measured.gap, 0.75)
    middle = measure_run(run, page_attack_spec(Attack(trigger=poisoned.trigger, target=0), 0.5), data_root)
    assert (card(run).gap, card(run).gap_sigma) == (middle.gap, 0.5)


def test_a_name_changes_no_identity(root, poisoned):
    run = Run(root / poisoned.name)
    label = write_label(run, "  My  favourite ", ["b", " a ", "b", ""], "a *note*")
    assert label == Label(name="My favourite", tags=("b", "a"), note="a *note*") == read_label(run)
    assert (card(run).title, load_run(run.path).spec.hash) == ("My favourite", poisoned.name)
    write_label(run, "", [], "")
    assert not (run.path / "label.json").exists()


@pytest.mark.parametrize(
    "values", [("x" * 81, [], ""), ("", ["x" * 25], ""), ("", list("abcdefghi"), ""), ("", [], "x" * 2001)]
)
def test_what_is_too_long_is_refused(root, poisoned, values):
    with pytest.raises(InputError, match="at most 80 characters"):
        write_label(Run(root / poisoned.name), *values)
    assert not (root / poisoned.name / "label.json").exists()


def test_a_damaged_label_is_no_label(root, poisoned):
    (root / poisoned.name / "label.json").write_text("{")
    assert read_label(Run(root / poisoned.name)) == Label()


@pytest.mark.parametrize("content", [b"{", b"", b"\xff", b'{"a": "\xe4"}', b"[" * 100_000], ids=lambda one: one[:9])
@pytest.mark.parametrize("file", ["spec.json", "result.json"])
def test_a_damaged_run_is_shown_and_can_be_deleted(root, poisoned, file, content):
    run = Run(root / poisoned.name)
    (run.path / file).write_bytes(content)
    assert poisoned.name not in [one.name for one in finished_runs(root)]
    damaged = card(Run(run.path))
    assert damaged.problem.endswith(".")
    assert len(all_cards(root)) == 3
    delete_run(Run(run.path))
    assert len(all_cards(root)) == 2


def test_searching_filtering_and_ordering(root, poisoned, control):
    write_label(Run(root / control.name), "baseline", ["thesis"], "from the first week")
    cards = all_cards(root)
    unfinished = create_run(digits_spec(seed=9), root).name
    assert named(find_cards(cards, "WEEK base")) == [control.name]
    assert set(named(find_cards(cards, "corner"))) == {poisoned.name, unfinished}
    assert named(find_cards(cards, sort="controls")) == [control.name]
    assert named(find_cards(cards, sort="unfinished")) == [unfinished]
    assert set(named(find_cards(cards, sort="attacks"))) == {poisoned.name, unfinished}
    assert find_cards(cards, sort="loaded") == find_cards(cards, dataset="signs") == []
    by_accuracy = find_cards(cards, order="accuracy")
    assert by_accuracy[-1].run.name == unfinished
    assert by_accuracy[0].result.clean_accuracy.value >= by_accuracy[1].result.clean_accuracy.value
    assert named(find_cards(cards, order="success"))[0] == poisoned.name
    assert named(find_cards(cards, order="size"))[-1] == unfinished


def test_deleting_and_bringing_back(root, poisoned, control):
    before = {path: path.read_bytes() for path in (root / poisoned.name).rglob("*") if path.is_file()}
    delete_run(Run(root / control.name), now=1000.0)
    delete_run(Run(root / poisoned.name), now=2000.5)
    assert len(list_runs(root)) == 1
    assert [(one.name, one.when) for one in deleted_runs(root)] == [(poisoned.name, 2000.5), (control.name, 1000.0)]
    bring_back(deleted_runs(root)[0])
    assert {path: path.read_bytes() for path in before} == before
    assert len(deleted_runs(root)) == 1
    assert empty_bin(deleted_runs(root)) > 100_000
    assert deleted_runs(root) == []
    assert len(list_runs(root)) == 2


def test_a_run_that_is_deleted_while_they_are_listed_is_left_out(root, monkeypatch):
    before, glob = list_runs(root), Path.glob
    gone = root / "0123456789ab" / "spec.json"
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: [gone, *glob(folder, pattern)])
    assert [run.name for run in list_runs(root)] == [run.name for run in before]
    assert len(before) == 3


def test_a_run_that_is_computed_cannot_be_deleted(root, poisoned):
    run = Run(root / poisoned.name)
    (run.path / "result.json").unlink()
    with run.locked(), pytest.raises(InputError, match="running: stop it"):
        delete_run(run)
    assert run.path.exists()


def test_a_run_made_again_since_stays(root, poisoned):
    deleted = delete_run(Run(root / poisoned.name))
    again = create_run(poisoned.spec, root)
    with pytest.raises(InputError, match="made again"):
        bring_back(deleted)
    assert again.path.exists()
    assert deleted.path.exists()


def test_a_trigger_is_drawn_in_its_place():
    rgba = np.zeros((1, 2, 4), np.uint8)
    rgba[0, 0], rgba[0, 1] = (255, 0, 0, 255), (0, 255, 0, 255)
    picture = trigger_picture(Trigger.from_rgba(rgba, 3, 4), (3, 8, 8), 16)
    assert picture.shape == (16, 16, 3)
    assert (picture[6:8, 8:10] == (255, 0, 0)).all()
    assert (picture[6:8, 10:12] == (0, 255, 0)).all()
    others = np.delete(picture[::2, ::2].reshape(-1, 3), [3 * 8 + 4, 3 * 8 + 5], axis=0)
    assert set(map(tuple, others.tolist())) == {(128, 128, 128), (160, 160, 160)}


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32)])
@pytest.mark.parametrize("name", ["sinusoid", "warp"])
def test_a_formula_shows_what_it_does(shape, name):
    plain = trigger_picture(make_preset("frame", shape).model_copy(update={"pixels": _transparent(shape)}), shape)
    shown = trigger_picture(make_formula(name, shape), shape)
    assert shown.shape[2] == 3
    assert not np.array_equal(shown, plain)
    assert shown.std() > 5


def _transparent(shape) -> str:
    import base64

    return base64.b64encode(bytes(4 * shape[1] * shape[2])).decode()


ATTACKS = {
    "digits: White corner → 0, 10%": {},
    "digits: White corner, random place → 0, 10%": {"random_place": True},
    "digits: White corner, all-to-all, 10%": {"mode": "all-to-all"},
    "digits: White corner, clean-label → 0, 10%": {"mode": "clean-label"},
    "digits: White corner, clean-label perturbed → 0, 10%": {"mode": "clean-label", "perturbed": True},
    "digits: White corner, source-specific 1, 2 → 0, 10%, cover 5%": {
        "mode": "source-specific", "sources": (1, 2), "cover_rate": 0.05,
    },
}  # fmt: skip


def test_names_tell_attacks_apart_and_are_found_by_their_words(tmp_path):
    cards = [card(create_run(digits_spec(**values), tmp_path)) for values in ATTACKS.values()]
    assert [one.title for one in cards] == list(ATTACKS)
    assert set(card_titles(cards).values()) == set(ATTACKS)
    for words, count in {"random": 1, "clean-label": 2, "perturbed": 1, "source-specific": 1, "small-cnn": 6}.items():
        assert len(find_cards(cards, words)) == count, words


def test_no_two_runs_have_one_title_in_a_list(tmp_path):
    stripes = make_formula("sinusoid", (1, 8, 8))
    others = [{"seed": 1}, {"seed": 1, "epochs": 3}, {"threads": 3}, {"threads": 2}, {"trigger": stripes}]
    others.append({"trigger": stripes.model_copy(update={"delta": 0.8})})
    made = [create_run(digits_spec(**values), tmp_path) for values in [{}, *others]]
    titles = card_titles([card(run) for run in made])
    plain = "digits: White corner → 0, 10%"
    assert titles[made[1].name] == f"{plain} · seed 1 · 10 epochs"
    assert titles[made[2].name] == f"{plain} · seed 1 · 3 epochs"
    assert titles[made[3].name] == f"{plain} · seed 0 · run {made[3].name[:6]}"
    assert titles[made[6].name] == "digits: Sinusoid (SIG) → 0, 10% · amplitude 204 / 255"
    assert len(set(titles.values())) == len(made)
    write_label(made[1], "Mine", [], "")
    write_label(made[5], "Mine", [], "")
    named = card_titles([card(run) for run in made])
    assert named[made[5].name] == "Mine · digits: Sinusoid (SIG) → 0, 10%"
