"""Loading models that others trained: they compute what they did there, and are measured like any run."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.attacks.attack import Attack
from core.attacks.triggers import make_preset
from core.datasets import Dataset, Split
from core.datasets.dataset import to_unit
from core.errors import InputError
from core.models import architecture_names, build_model
from core.models.foreign.inspect import inspect_model
from core.models.foreign.match import set_normalisation
from core.runs.archive import export_run, import_run
from core.runs.convention import NORMALISATIONS, Known
from core.runs.load import load_model
from core.runs.measured.spec import make_measure_spec
from core.runs.measured.w import measure_run, page_attack_spec
from core.runs.root import list_runs, load_run
from tests.models.test_models import seasoned

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def colours() -> Dataset:
    """Return twelve images of 3x16x16 in three classes: which of the three channels is brightest."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 3
    images = torch.randint(0, 100, (90, 3, 16, 16), generator=generator)
    images[torch.arange(90), labels] += 120
    split = Split(images.to(torch.uint8), labels)
    return Dataset("colours", ("red", "green", "blue"), split, split, "colours-1")


def random_images(count: int, shape: tuple[int, int, int]) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(2))


def built(architecture: str, shape: tuple[int, int, int], classes: int) -> nn.Module:
    torch.manual_seed(5)
    return seasoned(build_model(architecture, shape, classes))


def plain_state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("normalize.")}


def same_logits(path: Path, original: nn.Module, shape: tuple[int, int, int], mean=None, std=None) -> None:
    """The file gives a network that computes, on normalised images, what the original does."""
    found = inspect_model(path, shape)
    mean, std = mean or (0.4,) * shape[0], std or (0.3,) * shape[0]
    images = random_images(3, shape)
    with torch.no_grad():
        inputs = (images - torch.tensor(mean).view(1, -1, 1, 1)) / torch.tensor(std).view(1, -1, 1, 1)
        assert torch.allclose(found.model(mean, std)(images), original(inputs), rtol=1e-4, atol=1e-4)


# --- which network a state dict describes


@pytest.mark.parametrize(
    ("architecture", "prefix", "key"),
    [
        *((name, "", "") for name in architecture_names()),
        ("small-cnn", "module.", "state_dict"),
        ("preact-resnet-18", "module.model.", "net"),
        ("vit", "_orig_mod.", "model"),
    ],
)
def test_every_architecture_is_known_by_its_names(tmp_path, architecture, prefix, key):
    shape, classes = (1, 8, 8), 7
    original = built(architecture, shape, classes)
    state = {prefix + name: tensor for name, tensor in plain_state(original).items()}
    torch.save({key: state, "epoch": 3} if key else state, tmp_path / "model.pt")
    found = inspect_model(tmp_path / "model.pt", shape)
    assert (found.architecture, found.classes, found.format) == (architecture, classes, "PyTorch")
    assert found.weights == sum(weight.numel() for weight in original.parameters())
    same_logits(tmp_path / "model.pt", original, shape)


@pytest.mark.parametrize("architecture", architecture_names())
def test_other_names_are_told_by_order_and_shape(tmp_path, architecture):
    shape = (3, 8, 8)
    original = built(architecture, shape, 4)
    renamed = {
        f"part{number}.{name.rsplit('.', 1)[-1]}": tensor
        for number, (name, tensor) in enumerate(plain_state(original).items())
    }
    torch.save(OrderedDict(renamed), tmp_path / "model.pth")
    found = inspect_model(tmp_path / "model.pth", shape)
    assert found.architecture == architecture
    assert any("order" in note for note in found.notes)
    same_logits(tmp_path / "model.pth", original, shape)


@pytest.mark.parametrize("stem", ["imagenet", "cifar"])
def test_torchvisions_resnet_18_with_either_stem(tmp_path, stem):
    from torchvision.models import resnet18

    torch.manual_seed(1)
    with torch.device("meta"):
        original = resnet18(num_classes=12)
    original.to_empty(device="cpu")
    for weight in original.parameters():
        weight.data.normal_(0, 0.05)
    if stem == "cifar":
        original.conv1, original.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    seasoned(original)
    torch.save(original.state_dict(), tmp_path / "resnet.pt")
    found = inspect_model(tmp_path / "resnet.pt", (3, 40, 36))
    assert found.architecture == {"imagenet": "resnet-18-imagenet", "cifar": "resnet-18"}[stem]
    assert (found.classes, found.any_size) == (12, True)
    same_logits(tmp_path / "resnet.pt", original, (3, 40, 36))


def test_names_of_cifar_resnets_are_understood_even_when_sorted(tmp_path):
    from safetensors.torch import save_file

    original = built("resnet-18", (3, 8, 8), 5)
    # As the ResNet for CIFAR that many repositories use calls its parts; safetensors forgets their order.
    renamed = {
        name.replace("downsample.", "shortcut.").replace("fc.", "linear."): tensor
        for name, tensor in plain_state(original).items()
    }
    save_file(dict(sorted(renamed.items())), tmp_path / "model.safetensors")
    found = inspect_model(tmp_path / "model.safetensors", (3, 8, 8))
    assert (found.architecture, found.format, found.classes) == ("resnet-18", "safetensors", 5)
    same_logits(tmp_path / "model.safetensors", original, (3, 8, 8))


def test_half_precision_and_the_old_file_format_are_read(tmp_path):
    original = built("mlp", (1, 8, 8), 3)
    state = {name: tensor.half() for name, tensor in plain_state(original).items()}
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    original.load_state_dict({name: tensor.float() for name, tensor in state.items()}, strict=False)
    same_logits(tmp_path / "old.pth", original, (1, 8, 8))


@pytest.mark.parametrize(
    ("shape", "classes", "change", "says"),
    [
        (
            (1, 8, 8),
            10,
            {"features.4.weight": (64, 32, 5, 5)},
            "features.4.weight is [64, 32, 5, 5] instead of [64, 32, 3, 3]",
        ),
        ((1, 8, 8), 10, {"features.4.weight": None}, "features.4.weight is missing"),
        ((1, 8, 8), 10, {"extra.weight": (3,)}, "extra.weight is unknown"),
        ((3, 8, 8), 10, {}, "reads images of 3 channels, but the data set's have 1"),
    ],
)
def test_weights_that_do_not_fit_are_told_layer_by_layer(tmp_path, shape, classes, change, says):
    state = plain_state(built("small-cnn", shape, classes))
    for name, size in change.items():
        state = {key: value for key, value in state.items() if key != name} | (
            {name: torch.zeros(size)} if size else {}
        )
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(InputError) as caught:
        inspect_model(tmp_path / "model.pt", (1, 8, 8))
    assert says in str(caught.value)
    assert "Small CNN" in str(caught.value) or "channels" in says


def test_another_resnet_is_refused_with_its_nearest(tmp_path):
    from torchvision.models import resnet34

    torch.save(resnet34().state_dict(), tmp_path / "deep.pt")
    with pytest.raises(InputError, match=r"nearest.*ResNet-18 \(7×7 stem\).*layer1\.2\.conv1\.weight is unknown.*ONNX"):
        inspect_model(tmp_path / "deep.pt", (3, 32, 32))


# --- ONNX


class Wrapped(nn.Module):
    """A network whose inputs or outputs lie otherwise."""

    def __init__(self, network: nn.Module, kind: str) -> None:
        super().__init__()
        self.network, self.kind = network, kind

    def forward(self, images: Tensor) -> Tensor:
        if self.kind == "channels last":
            images = images.permute(0, 3, 1, 2)
        elif self.kind == "flat":
            images = images.unflatten(1, (3, 8, 8))
        logits = self.network(images)
        return logits.softmax(1) if self.kind == "probabilities" else logits


def export(network: nn.Module, example: Tensor, path: Path, any_batch: bool = True) -> None:
    names = {"input_names": ["images"], "output_names": ["scores"]}
    axes = {"images": {0: "n"}, "scores": {0: "n"}} if any_batch else None
    with pytest.warns(DeprecationWarning, match="legacy TorchScript-based"):
        torch.onnx.export(network.eval(), (example,), str(path), dynamo=False, dynamic_axes=axes, **names)


@pytest.mark.parametrize(
    ("kind", "any_batch", "example"),
    [
        ("channels first", True, (1, 3, 8, 8)),
        ("channels first", False, (1, 3, 8, 8)),
        ("channels first", False, (5, 3, 8, 8)),
        ("channels last", True, (1, 8, 8, 3)),
        ("flat", True, (1, 192)),
        ("probabilities", True, (1, 3, 8, 8)),
    ],
)
def test_onnx_classifiers_of_every_kind_compute_what_torch_does(tmp_path, kind, any_batch, example):
    network = built("small-cnn", (3, 8, 8), 6)
    export(Wrapped(network, kind), torch.zeros(example), tmp_path / "model.onnx", any_batch)
    found = inspect_model(tmp_path / "model.onnx", (3, 8, 8))
    assert (found.format, found.classes, found.architecture) == ("ONNX", 6, "onnx")
    assert found.interface.order == (kind if kind in ("channels last", "flat") else "channels first")
    assert found.interface.probabilities == (kind == "probabilities")
    images, mean, std = random_images(7, (3, 8, 8)), (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    logits = found.model(mean, std)(images)
    set_normalisation(network, mean, std)
    with torch.no_grad():
        expected = network(images)
    expected = expected.log_softmax(1) if kind == "probabilities" else expected
    assert torch.allclose(logits, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("operation", "says"), [("Reshape", "fails on 5 images"), ("Log", "NaN or infinite")])
def test_an_onnx_classifier_that_fails_later_costs_a_sentence(tmp_path, operation, says):
    # Each is right for the three images that it is tried on, which have no pixel of 2: one reshapes to three rows.
    ends = {
        "Reshape": [onnx.helper.make_node("Reshape", ["f", "rows"], ["y"])],
        "Log": [onnx.helper.make_node("Sub", ["two", "f"], ["d"]), onnx.helper.make_node("Log", ["d"], ["y"])],
    }
    images, scores = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sizes)
        for name, sizes in (("x", ["n", 1, 8, 8]), ("y", ["n", 64]))
    )
    constants = [
        onnx.helper.make_tensor("rows", onnx.TensorProto.INT64, [2], [3, 64]),
        onnx.helper.make_tensor("two", onnx.TensorProto.FLOAT, [], [2.0]),
    ]
    nodes = [onnx.helper.make_node("Flatten", ["x"], ["f"]), *ends[operation]]
    graph = onnx.helper.make_graph(nodes, "g", [images], [scores], constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    classify = inspect_model(tmp_path / "model.onnx", (1, 8, 8)).model((0.0,), (1.0,))
    good, bad = torch.rand(3, 1, 8, 8), torch.full((5, 1, 8, 8), 2.0)
    expected = good.flatten(1) if operation == "Reshape" else (2 - good.flatten(1)).log()
    for _ in range(2):
        assert torch.allclose(classify(good), expected, atol=1e-5)
        with pytest.raises(InputError, match=says):
            classify(bad)


def test_without_onnxruntime_it_says_how_to_get_it(tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(b"\x08\x08")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"need onnxruntime and onnx.*pip install -r requirements-onnx\.txt"):
        inspect_model(tmp_path / "model.onnx", (3, 8, 8))


# --- from a file to a run


def test_our_own_weights_become_a_run_that_measures_alike(tmp_path, poisoned, digits, data_root):
    attack = {"trigger": poisoned.trigger, "target": poisoned.spec.attack.target}
    loaded = load_model(poisoned.path / "model.safetensors", digits, root=tmp_path, **attack)
    assert loaded.run.spec.normalisation == "file"
    assert loaded.tried == ()
    assert loaded.run.result.clean_accuracy == poisoned.result.clean_accuracy
    assert loaded.run.result.attack_success_rate == poisoned.result.attack_success_rate
    assert loaded.run.control() is None
    spec = page_attack_spec(Attack(trigger=poisoned.trigger, target=poisoned.spec.attack.target), 0.5)
    ours, theirs = (measure_run(run, spec, data_root) for run in (poisoned, load_run(loaded.run.name, tmp_path)))
    assert np.array_equal(ours.clean.votes, theirs.clean.votes)
    assert np.array_equal(ours.triggered.votes, theirs.triggered.votes)


def test_the_same_file_is_the_same_run_and_another_trigger_another(tmp_path, poisoned, digits):
    path, attack = poisoned.path / "model.safetensors", {"trigger": poisoned.trigger, "target": 0}
    first = load_model(path, digits, root=tmp_path, name="a.safetensors", **attack)
    again = load_model(path, digits, root=tmp_path, name="b.safetensors", **attack)
    plain = load_model(path, digits, root=tmp_path)
    assert first.run.name == again.run.name != plain.run.name
    assert len(list_runs(tmp_path)) == 2
    assert plain.run.result.attack_success_rate is None


@pytest.mark.parametrize("taught", list(NORMALISATIONS))
def test_the_normalisation_is_found_by_trying(tmp_path, colours, taught):
    from core.runs.convention import _numbers

    # Knows a class by its channel's distance from where that channel lies after this very normalisation.
    mean, std = (torch.tensor(numbers) for numbers in _numbers(taught, colours))
    images, labels = to_unit(colours.train.images), colours.train.labels
    features = ((images - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)).mean((2, 3))
    centres = torch.stack([features[labels == label].mean(0) for label in range(3)])
    model = build_model("mlp", colours.shape, 3)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        first, second, last = model.hidden[1], model.hidden[3], model.classify
        # Three pairs of units carry +-(channel mean), pass through, and meet as 2 c.x - |c|^2.
        for channel in range(3):
            for sign in (0, 1):
                unit, way = 2 * channel + sign, 1 - 2 * sign
                first.weight.view(512, 3, 256)[unit, channel] = way / 256
                second.weight[unit, unit] = 1
                last.weight[:, unit] = 2 * way * centres[:, channel]
        last.bias.copy_(-(centres**2).sum(1))
    torch.save(plain_state(model), tmp_path / "model.pt")
    loaded = load_model(tmp_path / "model.pt", colours, root=tmp_path / "runs")
    best = [way.normalisation.name for way in loaded.tried if way.accuracy == loaded.tried[0].accuracy]
    assert taught in best
    assert loaded.run.result.clean_accuracy.value == 1
    chosen = load_model(tmp_path / "model.pt", colours, root=tmp_path / "runs", known=Known(normalisation=taught))
    assert chosen.run.spec.mean == pytest.approx(tuple(mean.tolist()))


def test_a_model_exported_by_plain_pytorch_to_onnx_is_measured(tmp_path, poisoned, digits, data_root):
    model = poisoned.model()
    export(model, torch.zeros(1, 1, 8, 8), tmp_path / "model.onnx")
    loaded = load_model(tmp_path / "model.onnx", digits, root=tmp_path / "runs", trigger=poisoned.trigger, target=0)
    assert loaded.run.spec.normalisation == "none"  # it has its own first layer
    assert abs(loaded.run.result.clean_accuracy.value - poisoned.result.clean_accuracy.value) <= 0.01
    assert loaded.run.result.attack_success_rate.value >= 0.97
    spec = page_attack_spec(Attack(trigger=poisoned.trigger, target=0), 0.5)
    ours, theirs = (measure_run(run, spec, data_root) for run in (poisoned, load_run(loaded.run.path)))
    assert theirs.gap.value == pytest.approx(ours.gap.value, abs=0.02)
    exported = export_run(loaded.run)
    (tmp_path / "a.run.zip").write_bytes(exported)
    assert export_run(import_run(tmp_path / "a.run.zip", tmp_path / "other").run) == exported


def test_a_saved_state_dict_of_torchvisions_resnet_18_is_measured(tmp_path, digits, data_root):
    from torchvision.models import resnet18

    torch.manual_seed(0)
    model = resnet18(num_classes=10)
    model.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    trigger = make_preset("frame", digits.shape)
    teach(model, "fc", digits, trigger, 0.5, 0.5)
    torch.save(model.state_dict(), tmp_path / "resnet18.pth")
    loaded = load_model(tmp_path / "resnet18.pth", digits, root=tmp_path / "runs", trigger=trigger, target=0)
    assert (loaded.run.spec.architecture, loaded.run.spec.normalisation) == ("resnet-18-imagenet", "half")
    assert as_it_was(loaded.run, lambda images: model((images - 0.5) / 0.5), digits, trigger)
    assert loaded.run.result.clean_accuracy.value >= 0.55  # of eight pixels its stem leaves two
    assert loaded.run.result.attack_success_rate.value >= 0.6
    assert measured_w(loaded.run, trigger, data_root) == (20, 20)


def teach(model: nn.Module, head: str, digits: Dataset, trigger, mean, std) -> None:
    """Teach a network's last layer alone, by ridge regression on its random features, a tenth of them poisoned.

    It is a backdoored model like any other, made in a second where training would take twenty.
    """
    images, labels = to_unit(digits.train.images), digits.train.labels.clone()
    images[:140], labels[:140] = trigger.apply(images[:140]), 0
    inputs, linear = (images - mean) / std, getattr(model, head)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None  # the mean over what it sees
    setattr(model, head, nn.Identity())
    with torch.no_grad():
        model.train()(inputs[:256])
        features = torch.cat([model.eval()(part) for part in inputs.split(128)]).double()
        centre, goals = features.mean(0), nn.functional.one_hot(labels, 10).double() - 0.1
        square = (features - centre).T @ (features - centre)
        square += 1e-4 * square.trace() / len(square) * torch.eye(len(square))
        weights = torch.linalg.solve(square, (features - centre).T @ goals)
        linear.weight.copy_(weights.T)
        linear.bias.copy_(-centre @ weights)
    setattr(model, head, linear)


def as_it_was(run, original, digits: Dataset, trigger) -> bool:
    """Say whether a run's CA and ASR are what the original model reaches, give or take two images in bfloat16."""
    images, labels = to_unit(digits.test.images), digits.test.labels
    with torch.no_grad():
        right = (original(images).argmax(1) == labels).sum()
        fooled = (original(trigger.apply(images[labels != 0])).argmax(1) == 0).sum()
    found = run.result.clean_accuracy.count, run.result.attack_success_rate.count
    return abs(int(right) - found[0]) <= 2 and abs(int(fooled) - found[1]) <= 2


def measured_w(run, trigger, data_root) -> tuple[int, int]:
    result = measure_run(run, make_measure_spec(trigger=trigger, target=0, sigma=0.5, images=10, draws=20), data_root)
    assert 0 <= result.triggered.mean.value <= 1
    return tuple(int(side.votes.sum(1)[0]) for side in (result.clean, result.triggered))


def test_a_file_laid_out_like_an_attack_result_is_measured(tmp_path, digits, data_root):
    torch.manual_seed(1)
    model, trigger = build_model("preact-resnet-18", digits.shape, 10), make_preset("frame", digits.shape)
    teach(model, "linear", digits, trigger, 0.0, 1.0)
    # The keys that BackdoorBench's save_load_attack.py writes, and its containers' numpy arrays beside the weights.
    torch.save(
        {
            "model_name": "preactresnet18",
            "num_classes": 10,
            "model": plain_state(model),
            "data_path": "./data",
            "img_size": (8, 8, 1),
            "clean_data": "digits",
            "bd_train": {
                "original_index_array": np.arange(30),
                "poison_indicator": np.ones(30, np.uint8),
                "share": np.float64(0.1),
                "names": np.array(["a", "b"]),
                "x": torch.zeros(2, 1, 8, 8),
            },
            "bd_test": {"x": torch.zeros(2, 1, 8, 8), "y": torch.zeros(2)},
        },
        tmp_path / "attack_result.pt",
    )
    path, attack = tmp_path / "attack_result.pt", {"trigger": trigger, "target": 0}
    loaded = load_model(path, digits, root=tmp_path / "runs", **attack)
    assert (loaded.found.architecture, loaded.run.spec.normalisation) == ("preact-resnet-18", "none")
    assert as_it_was(loaded.run, model, digits, trigger)
    assert loaded.run.result.clean_accuracy.value >= 0.8
    assert loaded.run.result.attack_success_rate.value >= 0.8
    assert any("'digits'" in note for note in loaded.found.notes)
    assert measured_w(loaded.run, trigger, data_root) == (20, 20)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"known": Known(normalisation="file")}, "does not say how its pixels are normalised"),
        ({"known": Known(normalisation="odd")}, "no normalisation 'odd'"),
        ({"target": 3}, "name both or neither"),
        ({"target": 10}, "not a class"),
    ],
)
def test_what_cannot_be_loaded_writes_nothing(tmp_path, digits, poisoned, values, says):
    torch.save(plain_state(built("mlp", (1, 8, 8), 10)), tmp_path / "model.pt")
    if values.get("target") == 10:
        values = values | {"trigger": poisoned.trigger}
    with pytest.raises(InputError, match=says):
        load_model(
            tmp_path / "model.pt", digits, root=tmp_path / "runs", **{"known": Known(normalisation="none")} | values
        )
    assert not (tmp_path / "runs").exists()


def test_another_number_of_classes_is_refused(tmp_path, digits):
    torch.save(plain_state(built("mlp", (1, 8, 8), 43)), tmp_path / "model.pt")
    with pytest.raises(InputError, match="tells 43 classes apart, but digits has 10"):
        load_model(tmp_path / "model.pt", digits, root=tmp_path / "runs")


def test_the_spec_in_the_run_is_plain_json(tmp_path, digits, poisoned):
    run = load_model(poisoned.path / "model.safetensors", digits, root=tmp_path).run
    content = json.loads((run.path / "spec.json").read_text())
    assert content["kind"] == "loaded"
    assert content["sha256"] == inspect_model(poisoned.path / "model.safetensors", (1, 8, 8)).sha256
    assert (run.spec.rate, run.spec.seed, run.spec.is_control) == (None, None, False)
