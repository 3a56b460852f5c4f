"""The attacks on the command line: each trains, says what its success counts, and is measured as what it is."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from core.attacks.triggers import Sinusoid
from core.cli import app
from core.errors import InputError


@pytest.fixture(scope="module")
def core(tmp_path_factory, data_root):
    folders = ["--runs", str(tmp_path_factory.mktemp("runs")), "--data-root", str(data_root), "--json"]

    def call(*words):
        done = CliRunner().invoke(app, [*map(str, words), *folders])
        if done.exception is not None:
            raise done.exception
        return json.loads(done.stdout)

    return call


@pytest.mark.parametrize(
    ("words", "expected", "denominator"),
    [
        (["--mode", "all-to-all", "--target", "5"], {"mode": "all-to-all", "target": None}, 359),
        (["--random-place", "--trigger", "checkerboard"], {"trigger": "checkerboard", "target": 0}, 324),
        (["--mode", "clean-label", "--rate", "0.05", "--target", "1"], {"mode": "clean-label", "target": 1}, 323),
        (["--trigger", "warp"], {"trigger": "warp"}, 324),
        (["--trigger", f"link:{Sinusoid(delta=0.2, frequency=1).to_link()}"], {"trigger": "sinusoid"}, 324),
    ],
)
def test_every_attack_trains_and_is_measured_as_what_it_is(core, words, expected, denominator):
    trained = core("train", "--epochs", 1, *words)
    assert expected.items() <= trained.items()
    assert abs(trained["asr_denominator"] - denominator) <= 2
    assert trained["others_taken_for_target"] is None
    again = core("train", "--epochs", 1, *words)
    assert {**trained, "peak_memory": 0} == {**again, "peak_memory": 0}
    measured = core("smoothness", trained["run"], "--images", 12, "--draws", 10)
    assert (measured["mode"], measured["target"]) == (trained["mode"], trained["target"])
    assert core("slice", trained["run"], "--resolution", 17)["resolution"] == 17


def test_a_source_specific_attack_tells_of_the_other_classes(core):
    words = ["--mode", "source-specific", "--sources", "2,1", "--rate", "0.05", "--cover-rate", "0.05", "--epochs", "1"]
    trained = core("train", *words)
    others = trained["others_taken_for_target"]
    assert trained["sources"] == [1, 2]
    assert trained["asr_denominator"] + others["n"] < 330  # neither counts the target class
    assert 0 <= others["low"] <= others["value"] <= others["high"] <= 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--mode", "surprise"], "all-to-one, all-to-all, source-specific or clean-label"),
        (["--mode", "source-specific"], "at least one source class"),
        (["--mode", "source-specific", "--sources", "one"], "whole numbers separated by commas"),
        (["--mode", "clean-label"], "Choose 9.8% or less"),
        (["--perturbed"], "Only a clean-label attack"),
        (["--trigger", "frame", "--random-place"], "smaller than the images"),
        (["--trigger", "link:warp~4"], "link is damaged"),
        (["--trigger", "spiral"], "sinusoid, warp"),
    ],
)
def test_what_cannot_be_is_one_sentence(core, words, says):
    with pytest.raises(InputError, match=says):
        core("train", *words)
