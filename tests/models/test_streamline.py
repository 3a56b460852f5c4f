"""What is folded is what may be folded, as `torch.fx` finds it, and finding it disturbs nobody else in the process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from core.instruments.predictor import Predictor
from core.models import architecture_names, build_model
from core.models.streamline import layer_pairs, streamline

SHAPE = (3, 32, 32)
NETWORKS = (*architecture_names(), "torchvision")

# In a process apart, since it is `fx.Tracer` that disturbs others.
TRACED = """
import json, sys
from collections import Counter
from torch import fx
from tests.models.test_streamline import NETWORKS, network

def traced_pairs(model):
    nodes = fx.Tracer().trace(model).nodes
    calls = Counter(node.target for node in nodes if node.op == "call_module")
    for node in nodes:
        source = node.all_input_nodes[0] if len(node.all_input_nodes) == 1 else node
        once = calls[node.target] == calls[source.target] == 1
        if node.op == source.op == "call_module" and once and len(source.users) == 1:
            inplace = getattr(model.get_submodule(source.target), "inplace", False)
            if not (inplace and any(len(read.users) > 1 for read in source.all_input_nodes)):
                yield source.target, node.target

json.dump({name: list(traced_pairs(network(name))) for name in NETWORKS}, sys.stdout)
"""


def network(name: str) -> nn.Module:
    return (resnet18() if name == "torchvision" else build_model(name, SHAPE, 10)).eval()


def named_pairs(model: nn.Module) -> list[list[str]]:
    names = {module: name for name, module in model.named_modules()}
    return [[names[first], names[second]] for first, second in layer_pairs(model)]


def test_the_pairs_are_those_that_fx_traces():
    command = [sys.executable, "-c", TRACED]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    traced = json.loads(done.stdout)
    assert {name: named_pairs(network(name)) for name in NETWORKS} == traced
    assert {name: len(pairs) for name, pairs in traced.items()} == {
        "small-cnn": 10, "tiny-cnn": 10, "mlp": 5, "resnet-18": 21, "preact-resnet-18": 8, "vit": 17, "torchvision": 22,
    }  # fmt: skip


class Convolved(nn.Module):
    """A convolution and its batch norm, and a subclass that also does something else with them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.relu, self.pool = nn.ReLU(inplace=True), nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.conv(images)).mean((2, 3))


class Plain(Convolved):
    folds = True


class ListedBeside(Convolved):
    folds = True

    def __init__(self) -> None:
        super().__init__()
        self.layers = [self.conv, self.norm]

    def forward(self, images: Tensor) -> Tensor:
        for layer in self.layers:
            images = layer(images)
        return images.mean((2, 3))


class ReadTwice(Convolved):
    folds = False

    def forward(self, images: Tensor) -> Tensor:
        convolved = self.conv(images)
        return (convolved + self.norm(convolved)).mean((2, 3))


class CalledTwice(Convolved):
    folds = False

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.conv(images)).mean((2, 3)) + self.norm(images[:, :1].repeat(1, 4, 1, 1)).mean((2, 3))


class ChangedBetween(Convolved):
    folds = False

    def forward(self, images: Tensor) -> Tensor:
        convolved = self.conv(images)
        convolved.clamp_(min=0)
        return self.norm(convolved).mean((2, 3))


class WeightsReadBeside(Convolved):
    folds = False

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.conv(images)).mean((2, 3)) + self.conv.weight.sum()


class Branching(Convolved):
    folds = False

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images if images.max() < 2 else images / 2)


@pytest.mark.parametrize(
    "kind", [Plain, ListedBeside, ReadTwice, CalledTwice, ChangedBetween, WeightsReadBeside, Branching]
)
def test_a_batch_norm_is_folded_only_where_nothing_else_reads_the_convolution(kind):
    torch.manual_seed(0)
    model = kind().eval().double()
    model.norm.running_mean.normal_(), model.norm.running_var.uniform_(0.5, 2)
    images = torch.rand(4, 3, 9, 9).double()
    with torch.no_grad():
        expected = model(images)
        streamlined = streamline(model, "cpu")
        assert torch.allclose(streamlined(images), expected, rtol=1e-12, atol=1e-12)
    assert isinstance(streamlined.norm, nn.Identity) == kind.folds


class RectifiesAView(Convolved):
    """The rectified numbers are a view of others that are read once more."""

    def forward(self, images: Tensor) -> Tensor:
        convolved = self.conv(images)
        return self.pool(self.relu(convolved.view(convolved.shape))).mean((2, 3)) + convolved.mean((2, 3))


def test_a_relu_in_place_is_not_moved_where_a_view_would_show_it():
    torch.manual_seed(0)
    model, images = RectifiesAView().eval(), torch.rand(4, 3, 9, 9) - 0.5
    with torch.no_grad():
        assert torch.allclose(streamline(model, "cpu")(images), model(images), atol=1e-6)


def test_predictors_are_made_while_others_compute():
    torch.manual_seed(0)
    model, images = network("small-cnn"), torch.rand(2, *SHAPE)
    call, expected = nn.Module.__call__, Predictor(model, "cpu", threads=1).labels(images)
    with torch.no_grad():
        logits = model(images)
    failures: list[str] = []

    def visit(make: bool) -> None:
        try:
            for _ in range(60):
                with torch.no_grad():
                    right = torch.equal(model(images), logits)
                if make:
                    right &= not any(isinstance(layer, nn.BatchNorm2d) for layer in streamline(model, "cpu").modules())
                    right &= torch.equal(Predictor(model, "cpu", threads=1).labels(images), expected)
                if not right:
                    failures.append("wrong")
        except Exception as error:
            failures.append(repr(error))

    visitors = [threading.Thread(target=visit, args=(number % 2 == 0,)) for number in range(6)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert failures == []
    assert nn.Module.__call__ is call
