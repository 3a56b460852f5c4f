"""An architecture and a data set are one file and one entry each: that is enough to train and measure with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from core.cli import app
from core.datasets import Dataset, Description, Split
from core.datasets.registry import SOURCES
from core.datasets.source import Progress, Source
from core.models.normalize import Normalize
from core.models.registry import ARCHITECTURES, Architecture
from core.training.settings import default_learning_rate, recommended


class ToyNetwork(nn.Module):
    """One linear layer."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.normalize = Normalize(shape[0])
        self.classify = nn.Linear(shape[0] * shape[1] * shape[2], classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.normalize(images).flatten(1))


def load_toys(data_root: Path, progress: Progress) -> Dataset:
    """Return noise whose upper or lower half is brighter."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 100, (240, 1, 6, 6), generator=generator)
    labels = torch.arange(240) % 2
    images[labels == 0, :, :3] += 100
    images[labels == 1, :, 3:] += 100
    train, test = (Split(images[part].to(torch.uint8), labels[part]) for part in (slice(200), slice(200, None)))
    return Dataset("toys", ("upper", "lower"), train, test, "toys-1")


TOYS = Source(
    Description(
        name="toys", title="Toys", sentence="Which half is brighter.", classes=("upper", "lower"), shape=(1, 6, 6),
        train_size=200, test_size=40, needs_download=False, origin="made up", licence="MIT", may_be_mirrored=True,
    ),
    "toys-1",
    load_toys,
)  # fmt: skip
TOY = Architecture(
    "toy", "Toy", "One layer.", f"{__name__}:ToyNetwork", 2e-2, sgd_learning_rate=3e-2, augmented=True, smallest_side=5
)


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "toy", TOY)
    monkeypatch.setitem(SOURCES, "toys", TOYS)


def command(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_they_are_trained_and_measured_from_the_command_line(tmp_path):
    assert "toys" in [record["name"] for record in json.loads(command("datasets", "--json"))["datasets"]]
    folders = "--runs", tmp_path, "--data-root", tmp_path / "data"
    words = "--dataset", "toys", "--architecture", "toy", "--trigger", "white-corner", "--epochs", 40, "--rate", 0.3
    trained = json.loads(command("train", *words, *folders, "--json"))
    assert trained["clean_accuracy"] >= 0.9
    assert trained["attack_success_rate"] >= 0.8
    measured = json.loads(command("smoothness", trained["run"], "--images", 4, "--draws", 10, *folders, "--json"))
    assert measured["run"] == trained["run"]


def test_what_suits_them_is_what_they_say():
    assert (default_learning_rate("toy", "adamw"), default_learning_rate("toy", "sgd")) == (2e-2, 3e-2)
    assert recommended("toys", "toy", careful=True).augmentation == "shift-flip"
    assert recommended("toys", "mlp", careful=True).augmentation == "none"
    assert recommended("digits", "toy", careful=True).augmentation == "none"
    assert TOY.suits((1, 6, 6), 2) is None
    assert "5x5" in (TOY.suits((1, 4, 6), 2) or "")
    assert "2 classes" in (TOY.suits((1, 6, 6), 1) or "")
