"""`detect`, `audit` and `pattern` on the command line."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from core.attacks.triggers import from_link, make_preset
from core.cli import app
from core.errors import InputError
from core.instruments.detectors import DETECTORS
from core.instruments.statistics import binomial_interval
from core.runs.measured.audit import Audit, AuditSpec, Inverted, NoisyClass
from core.runs.measured.cache import kept_json
from core.runs.run import Run


@pytest.fixture
def core(runs_root, data_root):
    """Run the command line in this process: what `main` does with bad input is tested with the other commands."""

    def run(*words):
        return CliRunner().invoke(app, [*map(str, words), "--runs", str(runs_root), "--data-root", str(data_root)])

    return run


@pytest.mark.soak
def test_detect_gives_every_detector_with_its_intervals_and_when_it_fails(poisoned, core):
    done = core("detect", poisoned.path, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert set(found["detectors"]) == set(DETECTORS) - {"neural-cleanse"}
    w = found["detectors"]["smoothness"]
    assert w["auc_against_other_classes"]["low"] > 0.9
    assert w["auc_against_target_class"]["low"] < w["auc_against_target_class"]["high"] <= 1
    assert w["false_positive_rate_other_classes"]["n"] == 120
    assert found["false_positive_rate_asked"] == 0.05
    assert found["classes"]["neural-cleanse"]["suspicious"][0] == 0
    assert all(one["fails"] and one["source"] for one in found["detectors"].values())
    lines = core("detect", poisoned.path).stdout
    assert "STRIP" in lines
    assert "fails with" in lines


def test_pattern_gives_its_effect_beside_a_random_one_and_a_link(control, core):
    done = core("pattern", control.path, "--kind", "universal", "--target", 3, "--images", 40, "--draws", 40, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert from_link(found["link"]).kind == "additive"
    assert found["effect"]["linf"] <= 0.1 + 1e-6
    assert found["effect"]["gap"]["low"] <= found["effect"]["gap"]["mean"] <= found["effect"]["gap"]["high"]
    assert found["effect"]["images"] == found["random"]["images"] == 40
    assert 0 < found["effect"]["modal_share"] <= 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["detect", "CONTROL"], "Give --trigger and --target"),
        (["detect", "RUN", "--false-positives", "0"], "between 0 and 1"),
        (["pattern", "CONTROL", "--kind", "smooth"], "no pattern called"),
        (["pattern", "CONTROL", "--kind", "trigger"], "needs a trigger"),
        (["pattern", "CONTROL", "--kind", "patch"], "needs a target"),
        (["pattern", "CONTROL", "--kind", "pgd", "--bound", "2"], "at most 1"),
        (["pattern", "CONTROL", "--kind", "blur", "--bound", "0.2"], "has no bound"),
        (["detect", "RUN", "--neural-cleanse-steps", "0"], "Steps: "),
    ],
)
def test_bad_input_is_one_sentence(poisoned, control, core, words, says):
    places = {"RUN": poisoned.path, "CONTROL": control.path}
    done = core(*(places.get(word, word) for word in words))
    assert isinstance(done.exception, InputError)
    assert says in str(done.exception)
    assert "\n" not in str(done.exception)


def test_audit_says_which_class_stands_out_and_that_it_is_no_proof(poisoned, core, tmp_path):
    run = Run(shutil.copytree(poisoned.path, tmp_path / poisoned.name))
    trigger = make_preset("checkerboard", (1, 8, 8))
    inverted = tuple(Inverted(trigger, 9.0, 3.0 * (label == 4), True) for label in range(10))
    kept = Audit(1.0, "", (NoisyClass(0.5, binomial_interval(5, 10), 1, 0.3),), inverted, "", ())
    kept_json(f"audit-{AuditSpec().hash}", Audit).store(run, kept)
    lines = core("audit", run.path).stdout
    assert "Worth a closer look: 4 in 1 of 3 looks. This is a suspicion, no proof of a backdoor." in lines
    assert "σ = 0.5: W of clean images 0.50" in lines
    first = json.loads(core("audit", run.path, "--json").stdout)["classes"][0]
    assert (first["class"], first["anomaly_index"]) == ("4", 3.0)
    assert from_link(first["smallest_trigger"]) == trigger
