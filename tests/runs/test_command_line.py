"""The command line under a run makes a run of the same name."""

from __future__ import annotations

import shlex

import numpy as np
import pytest
from typer.testing import CliRunner

from core.attacks.attack import Attack, make_attack
from core.attacks.triggers import Trigger, make_formula, make_preset
from core.cli import app
from core.instruments.slices.choice import nearest_of_class
from core.runs.command_line import command_line, slice_line, smoothness_line
from core.runs.loaded_spec import make_loaded_spec
from core.runs.measured.w import page_attack_spec
from core.training.spec import RunSpec
from tests.conftest import digits_spec

SHAPE = (1, 8, 8)
DRAWN = Trigger.from_rgba(np.random.default_rng(0).integers(1, 256, (3, 2, 4), np.uint8), 4, 1)
SPECS = [
    {},
    {"rate": 0.0},
    {"rate": 0.0, "optimiser": "sgd"},
    {"trigger": DRAWN, "target": 7, "rate": 0.0325},
    {"trigger": make_formula("sinusoid", SHAPE)},
    {"trigger": make_formula("warp", SHAPE)},
    {"mode": "all-to-all"},
    {"mode": "source-specific", "sources": (3, 1), "cover_rate": 0.05},
    {"mode": "clean-label", "perturbed": True},
    {"random_place": True},
    {"architecture": "vit", "epochs": 3, "batch_size": 32, "seed": 4000000000},
    {"optimiser": "sgd"},
    {"optimiser": "sgd", "learning_rate": 0.0123, "weight_decay": 0.0},
    {"learning_rate": 1 / 3, "weight_decay": 1e-7},
    {"augmentation": "shift-flip", "precision": "float32", "threads": 3},
    {"device": "cuda", "precision": "bfloat16"},
]


def specs_made_by(line: str, monkeypatch) -> RunSpec:
    """Return the spec that a command line would train."""

    class Stop(Exception):  # noqa: N818
        pass

    made = []

    def train_run(spec, *_):
        made.append(spec)
        raise Stop

    monkeypatch.setattr("core.runs.jobs.worker.train_run", train_run)
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "core"]
    ended = CliRunner().invoke(app, words[3:])
    assert isinstance(ended.exception, Stop), ended.output
    return made[0]


@pytest.mark.parametrize("values", SPECS, ids=str)
@pytest.mark.parametrize("shape", [SHAPE, None])
def test_the_line_makes_the_same_run(values, shape, monkeypatch):
    spec = digits_spec(**values)
    assert specs_made_by(command_line(spec, shape), monkeypatch).hash == spec.hash


def test_every_field_that_counts_is_tried_above():
    """A field that comes later has to get its option, and its line here."""
    plain = digits_spec()
    tried = {name for values in SPECS for name in values} | {"dataset", "fingerprint", "target", "recipe", "attack"}
    assert set(RunSpec.model_fields) | set(Attack.model_fields) <= tried
    specs = [digits_spec(**values) for values in SPECS]
    differing = {name for spec in specs for name, value in dict(spec).items() if value != getattr(plain, name)}
    assert set(RunSpec.model_fields) - differing <= {"dataset", "fingerprint", "recipe"}
    attacks = [spec.attack for spec in specs if spec.attack is not None]
    assert {name for each in attacks for name, value in dict(each).items() if value != getattr(plain.attack, name)} == {
        *Attack.model_fields
    }


def test_a_preset_is_told_by_its_name():
    assert "--trigger white-corner --target 0 --rate 0.1 --epochs 10 --seed 0" in command_line(digits_spec(), SHAPE)
    assert "link:" in command_line(digits_spec(trigger=DRAWN), SHAPE)


def test_a_path_with_a_space_is_one_word():
    words = shlex.split(command_line(digits_spec(dataset="zip:/my images/x.zip", rate=0.0)))
    assert words[words.index("--dataset") + 1] == "zip:/my images/x.zip"


def test_a_loaded_models_line_names_its_file():
    spec = make_loaded_spec(
        file="a model.pt",
        sha256="0" * 64,
        file_format="PyTorch",
        dataset="digits",
        architecture="mlp",
        normalisation="half",
        mean=(0.5,),
        std=(0.5,),
        trigger=make_preset("frame", SHAPE),
        target=3,
    )
    assert command_line(spec, SHAPE) == (
        "python -m core load 'a model.pt' --dataset digits --normalisation half --trigger frame --target 3"
    )


def call_of(line: str, function: str, monkeypatch) -> tuple:
    """Return what a command line hands to a function, which is where it stops."""

    class Stop(Exception):  # noqa: N818
        pass

    calls = []

    def note(*arguments):
        calls.append(arguments)
        raise Stop

    monkeypatch.setattr(function, note)
    ended = CliRunner().invoke(app, shlex.split(line)[3:])
    assert isinstance(ended.exception, Stop), ended.output
    return calls[0]


@pytest.mark.parametrize("attack", [None, make_attack(trigger=DRAWN, target=3)], ids=["its own", "tried"])
def test_the_lines_measure_what_the_page_measures(attack, poisoned, monkeypatch):
    attack = attack or poisoned.spec.attack
    spec = page_attack_spec(attack, 0.35, draws=400)
    run, measured, _ = call_of(smoothness_line(poisoned, spec, SHAPE), "core.runs.measured.w.measure_run", monkeypatch)
    assert (run.name, measured.hash) == (poisoned.name, spec.hash)
    line = slice_line(poisoned, attack, 41, SHAPE)
    dataset, tried, clean, third, _ = call_of(line, "core.instruments.slices.choice.plane_images", monkeypatch)
    wanted = attack.goal(dataset.test.labels.numpy()[[41]], 10)[0]
    assert (tried, clean) == (attack, 41)
    assert third == nearest_of_class(dataset, 41, wanted)
