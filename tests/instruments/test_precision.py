"""Bfloat16 is used where its votes are right: a model that it misleads runs in float32."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from torch import Tensor, nn

import core.instruments.precision
from core.datasets.dataset import to_unit
from core.instruments.precision import trusted_precision, vote_agreement
from core.runs.jobs.worker import train_run
from core.runs.load import load_model
from core.runs.run import Run
from tests.conftest import digits_spec


class Shifted(nn.Module):
    """Logits far from zero: bfloat16 keeps 8 binary digits, so that differences below 2 vanish at 256."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.linear = nn.Linear(64, 10)
        self.linear.weight.data = torch.randn(10, 64, generator=generator) / 8
        self.linear.bias.data = torch.full((10,), shift)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(images.flatten(1))


@pytest.fixture(scope="module")
def test_split(poisoned, data_root):
    return poisoned.dataset(data_root).test


@pytest.fixture(scope="module")
def images(test_split):
    return to_unit(test_split.images[:16])


def test_a_trained_model_agrees(poisoned, images):
    assert vote_agreement(poisoned.model(), images, range(16), "cpu") >= 0.99


def test_logits_far_from_zero_do_not(images):
    assert vote_agreement(Shifted(0.0), images, range(16), "cpu") >= 0.95
    assert vote_agreement(Shifted(512.0), images, range(16), "cpu") < 0.8


@pytest.mark.parametrize(("native", "shift", "expected"), [
    (True, 512.0, "float32"), (False, 512.0, "float32"), (False, 0.0, "float32"),
])  # fmt: skip
def test_what_cannot_be_trusted_runs_in_float32(test_split, monkeypatch, native, shift, expected):
    monkeypatch.setattr(core.instruments.precision, "native_bfloat16", lambda device: native)
    assert trusted_precision("elsewhere", Shifted(shift), test_split, "cpu") == expected


def test_what_can_be_trusted_runs_in_bfloat16(poisoned, test_split, monkeypatch):
    monkeypatch.setattr(core.instruments.precision, "native_bfloat16", lambda device: True)
    assert trusted_precision("small-cnn", poisoned.model(), test_split, "cpu") == "bfloat16"


def test_an_architecture_that_bfloat16_does_not_suit_is_told_by_its_name(poisoned, test_split, monkeypatch):
    monkeypatch.setattr(core.instruments.precision, "native_bfloat16", lambda device: True)
    assert trusted_precision("tiny-cnn", poisoned.model(), test_split, "cpu") == "float32"


def test_architectures_that_bfloat16_does_not_suit_are_measured_in_float32(runs_root, data_root):
    run = train_run(digits_spec(architecture="tiny-cnn", epochs=1), runs_root, data_root)
    assert run.result.votes_in == "float32"
    assert run.predictor().dtype == torch.float32
    loaded = load_model(run.path / "model.safetensors", run.dataset(data_root), root=runs_root).run
    assert loaded.result.votes_in == "float32"


def test_a_run_keeps_to_what_was_found(poisoned, tmp_path):
    assert poisoned.result.votes_in == ("bfloat16" if core.instruments.precision.native_bfloat16("cpu") else "float32")
    copy = Run(shutil.copytree(poisoned.path, tmp_path / poisoned.name))
    content = json.loads((copy.path / "result.json").read_text())
    (copy.path / "result.json").write_text(json.dumps(content | {"votes_in": "float32"}))
    assert copy.finished().predictor().dtype == torch.float32
