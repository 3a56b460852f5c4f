"""A stored result that is damaged counts as none: it is made again, and what stands beside it can be looked at."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from core.attacks.attack import Attack
from core.attacks.patterns import PatternSpec
from core.instruments.detectors.comparison import ComparisonSpec
from core.runs.library.card import card
from core.runs.measured.detectors import comparison_name, detect_run
from core.runs.measured.patterns import EffectSpec, measure_pattern
from core.runs.measured.success import success_on
from core.runs.measured.w import measure_run, page_attack_spec, stored_measurement
from core.runs.root import list_runs
from core.runs.run import Run

DAMAGES = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "bytes changed": lambda content: content[:80] + bytes(40) + content[120:],
    "something else": lambda content: b"[1, 2]",
    "no text": lambda content: b"\xff\xfe{",
}


@pytest.fixture
def run(control, poisoned, tmp_path):
    """Return a poisoned run that nobody has measured yet."""
    for one in (control, poisoned):
        shutil.copytree(one.path, tmp_path / one.name, ignore=shutil.ignore_patterns("measures"))
    return Run(tmp_path / poisoned.name)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_measurement_is_made_again_and_hides_no_run(run, data_root, damage):
    first, other = (page_attack_spec(Attack(trigger=run.trigger, target=0), sigma) for sigma in (0.5, 1.0))
    small = first.model_copy(update={"images": 20, "draws": 20})
    measured = measure_run(run, small, data_root)
    path = run.path / "measures" / f"w-{small.hash}.npz"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert stored_measurement(run, small) is None
    # The library looks at the pages' own measurements: one is damaged, another is not.
    shutil.copy(path, path.with_name(f"w-{first.hash}.npz"))
    path.with_name(f"w-{other.hash}.npz").write_bytes(whole)
    cards = {found.name: card(found) for found in list_runs(run.path.parent)}
    assert len(cards) == 2
    assert (cards[run.name].gap, cards[run.name].gap_sigma) == (measured.gap, 1.0)
    again = measure_run(run, small, data_root)
    assert np.array_equal(again.triggered.votes, measured.triggered.votes)
    assert stored_measurement(run, small) is not None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"null", b'{"rate": 1, "others": null}'])
def test_a_success_is_counted_again(run, data_root, content):
    attack = Attack(trigger=run.trigger, target=3)
    success = success_on(run, attack, data_root)
    path = run.path / "measures" / f"success-{attack.hash}.json"
    whole = path.read_bytes()
    path.write_bytes(content)
    assert success_on(run, attack, data_root) == success
    assert path.read_bytes() == whole


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", json.dumps({"share": 1}).encode()])
def test_detectors_look_again(run, data_root, content):
    spec = ComparisonSpec(run.spec.attack, 0.5)
    (run.path / "measures").mkdir()
    (run.path / "measures" / f"detect-{comparison_name(spec)}.json").write_bytes(content)
    steps = detect_run(run, spec, data_root)
    assert next(steps).share < 1
    steps.close()


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_pattern_is_searched_again(run, data_root, damage):
    spec = EffectSpec(PatternSpec("random", trigger=run.trigger), 0.5, draws=10, images=20)
    *_, found = measure_pattern(run, spec, data_root)
    path = run.path / "measures" / f"pattern-{spec.hash}.npz"
    path.write_bytes(damage(path.read_bytes()))
    *before, again = measure_pattern(run, spec, data_root)
    assert before
    assert again.effects == found.effects
    (stored,) = measure_pattern(run, spec, data_root)
    assert stored.effects == found.effects
