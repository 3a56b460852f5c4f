"""Who a run is: by a short name of its own, in words, and with a sentence where its attack did not take."""

from __future__ import annotations

import shutil

from core.attacks.attack import Attack
from core.attacks.triggers import make_preset
from core.instruments.statistics import binomial_interval
from core.runs.library.label import write_label
from core.runs.library.short_names import short_names
from core.runs.measured.portrait import attack_in_words, success_in_words, training_in_words
from core.runs.run import DoneRun
from core.runs.spec_file import write_spec

CORNER = make_preset("white-corner", (1, 8, 8))


def a_run(run, folder, **changes) -> DoneRun:
    """Return a run that is another one but for what its spec says."""
    spec = run.spec.model_copy(update=changes)
    path = folder / spec.hash
    shutil.copytree(run.path, path, ignore=shutil.ignore_patterns("measures", "label.json"))
    write_spec(path, spec)
    return DoneRun(path, run.result)


def test_runs_are_called_by_what_tells_them_apart(poisoned, control, tmp_path):
    rare = a_run(poisoned, tmp_path, rate=0.01)
    frame = a_run(poisoned, tmp_path, attack=Attack(trigger=make_preset("frame", (1, 8, 8)), target=0))
    again = a_run(poisoned, tmp_path, seed=7)
    assert short_names([poisoned, control]) == ["White corner", "Control"]
    assert short_names([poisoned, frame]) == ["White corner", "White frame"]
    assert short_names([poisoned, rare]) == ["White corner · 10%", "White corner · 1%"]
    assert short_names([poisoned, again]) == ["White corner · seed 0", "White corner · seed 7"]
    write_label(rare, "My attack", [], "")
    assert short_names([rare, control]) == ["My attack", "Control"]


def test_an_attack_and_a_training_are_told_in_words(poisoned, control):
    digits = [str(number) for number in range(10)]
    some = Attack(trigger=CORNER, target=0, mode="source-specific", sources=(1, 2), random_place=True)
    assert attack_in_words(some, digits) == "White corner at random places, source-specific: 1, 2 → 0"
    assert (
        attack_in_words(Attack(trigger=CORNER, mode="all-to-all"), digits)
        == "White corner, all to all → the next class"
    )
    assert training_in_words(poisoned.spec).startswith("10% poisoned, ")
    assert training_in_words(control.spec).startswith("no image poisoned, ")


def test_it_is_said_when_an_attack_did_not_take():
    failed, part, works = (binomial_interval(hits, 359) for hits in (45, 200, 340))
    text = success_in_words(failed, None, tried=False)
    assert text.startswith("**This attack did not take** (12.5%, 45 of 359)")
    assert "no effect of a backdoor on W can be expected" in text
    assert "does not obey this trigger" in success_in_words(failed, None, tried=True)
    assert "works in part" in success_in_words(part, failed, tried=False)
    assert success_in_words(works, failed, tried=False) == ""
    assert "The control obeys the trigger as well" in success_in_words(works, works, tried=False)
