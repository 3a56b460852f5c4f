"""Every architecture: what it is, that it learns, and that the fast path gives its answers."""

from __future__ import annotations

import copy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from core.attacks.triggers import make_preset
from core.datasets.dataset import to_unit
from core.errors import InputError
from core.instruments.estimators import entropy
from core.instruments.evaluation import attack_success_rate, choose_images
from core.instruments.noise_stream import NoiseStream
from core.instruments.predictor import Predictor
from core.models import architecture_names, build_model, describe
from core.models.streamline import streamline
from core.training.loop import Finished, train
from tests.conftest import digits_spec

CPU = torch.device("cpu")
SHAPES = [(1, 8, 8), (3, 9, 7), (3, 28, 20), (1, 28, 28), (3, 32, 32), (3, 64, 64)]
# At batches of 32 so few epochs bring every architecture to 94 % and more; the residual nets need 5 s for theirs.
EPOCHS = {"small-cnn": 3, "tiny-cnn": 5, "mlp": 5, "resnet-18": 1, "preact-resnet-18": 1, "vit": 3}
REACHED = {"small-cnn": 0.95, "tiny-cnn": 0.93, "mlp": 0.93, "resnet-18": 0.9, "preact-resnet-18": 0.88, "vit": 0.9}

every_architecture = pytest.mark.parametrize("architecture", architecture_names())


@dataclass(frozen=True)
class Trained:
    architecture: str
    model: nn.Module


# The residual nets cost more than all the others together.
WHEN_SOAKING = {"resnet-18": pytest.mark.soak, "preact-resnet-18": pytest.mark.soak}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=WHEN_SOAKING.get(name, ())) for name in architecture_names()]
)
def trained(request, digits) -> Trained:
    return Trained(request.param, train_digits(digits, request.param, EPOCHS[request.param], rate=0.0, batch_size=32))


def train_digits(digits, architecture: str, epochs: int, **values) -> nn.Module:
    spec = digits_spec(
        architecture=architecture, epochs=epochs, learning_rate=describe(architecture).learning_rate, **values
    )
    with pytest.MonkeyPatch.context() as patch:
        # Looking at W takes the residual nets longer than an epoch on images this small.
        patch.setattr("core.training.watch.WATCH_IMAGES", 2)
        return next(event for event in train(spec, digits) if isinstance(event, Finished)).model


def built(architecture: str, shape: tuple[int, int, int] = (1, 8, 8), classes: int = 10, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_model(architecture, shape, classes)


def pictures(count: int, shape: tuple[int, int, int] = (1, 8, 8)) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(2))


def seasoned(model: nn.Module) -> nn.Module:
    """Return the model in evaluation mode with batch norms as after a training, far from doing nothing."""
    generator = torch.Generator().manual_seed(1)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.3, generator=generator)
            part.running_var.uniform_(0.3, 3, generator=generator)
            nn.init.normal_(part.weight, 1, 0.3, generator=generator)
            nn.init.normal_(part.bias, 0, 0.3, generator=generator)
    return model.eval()


@every_architecture
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("classes", [2, 43])
def test_any_small_image_gives_one_logit_a_class(architecture, shape, classes):
    model = built(architecture, shape, classes).eval()
    with torch.no_grad():
        logits = model(pictures(2, shape))
    assert logits.shape == (2, classes)
    assert logits.isfinite().all()
    assert not torch.allclose(logits[0], logits[1])


@every_architecture
def test_weights_follow_from_the_random_state(architecture):
    one, same, other = (built(architecture, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert sum(not torch.equal(one[name], other[name]) for name in one) >= 4


@every_architecture
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 7)])
def test_gradients_reach_every_parameter_and_every_pixel(architecture, shape):
    model, images = built(architecture, shape).train(), pictures(8, shape).requires_grad_()
    nn.functional.cross_entropy(model(images), torch.arange(8)).backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()] == []
    assert (images.grad.abs().sum((0, 1)) > 0).all()


@every_architecture
def test_normalisation_comes_first(architecture):
    model, images = built(architecture).eval(), pictures(3)
    with torch.no_grad():
        plain = model(images)
        model.normalize.mean.fill_(0.3), model.normalize.std.fill_(0.2)
        assert torch.allclose(model(images * 0.2 + 0.3), plain, atol=1e-4)
        assert not torch.allclose(model(images), plain, atol=1e-2)


# For images 3x32x32 and 10 classes. The residual nets' counts are the ones known for CIFAR-10.
WEIGHTS = {
    "tiny-cnn": 3 * 16 * 9 + 16 * 32 * 9 + 32 * 64 * 9 + 2 * (16 + 32 + 64) + 65 * 10,
    "small-cnn": 3 * 32 * 9 + 32 * 64 * 9 + 64 * 128 * 9 + 2 * (32 + 64 + 128) + 129 * 10,
    "mlp": 512 * (3 * 32 * 32 + 514 + 10) + 10,
    "resnet-18": 11_173_962,
    "preact-resnet-18": 11_171_146,
    "vit": 49 * 128 + 64 * 128 + 4 * (12 * 128**2 + 13 * 128) + 2 * 128 + 129 * 10,
}


@every_architecture
def test_the_number_of_weights_is_what_the_topology_says(architecture):
    assert sum(weight.numel() for weight in built(architecture, (3, 32, 32)).parameters()) == WEIGHTS[architecture]


def test_resnet_18_is_torchvisions_but_for_the_stem():
    from torchvision.models import resnet18

    ours, theirs = seasoned(built("resnet-18", (3, 32, 32), 1000)), resnet18().eval()
    weights = {name: value for name, value in ours.state_dict().items() if not name.startswith("normalize.")}
    names = theirs.state_dict()
    assert list(weights) == list(names)
    assert [name for name in names if weights[name].shape != names[name].shape] == ["conv1.weight"]
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    theirs.load_state_dict(weights)
    with torch.no_grad():
        images = pictures(2, (3, 32, 32))
        assert torch.allclose(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


def test_preact_resnet_18_is_the_network_of_the_literature():
    model, images = seasoned(built("preact-resnet-18", (3, 16, 16))).double(), pictures(2, (3, 16, 16)).double()
    weights = model.state_dict()
    names = {name for name in weights if not name.startswith("normalize.")}

    def convolve(name: str, x: Tensor, stride: int = 1) -> Tensor:
        names.remove(f"{name}.weight")
        weight = weights[f"{name}.weight"]
        return nn.functional.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2)

    def activate(name: str, x: Tensor) -> Tensor:
        names.difference_update(f"{name}.{part}" for part in (*NORM, "num_batches_tracked"))
        mean, variance, scale, shift = (weights[f"{name}.{part}"][:, None, None] for part in NORM)
        return (((x - mean) / (variance + 1e-5).sqrt()) * scale + shift).clamp(min=0)

    x = convolve("conv1", images)
    for stage in (1, 2, 3, 4):
        for number in (0, 1):
            block, stride = f"layer{stage}.{number}", 2 if stage > 1 and number == 0 else 1
            first = activate(f"{block}.bn1", x)
            around = convolve(f"{block}.shortcut.0", first, stride) if stride == 2 else x
            second = activate(f"{block}.bn2", convolve(f"{block}.conv1", first, stride))
            x = convolve(f"{block}.conv2", second) + around
    logits = x.mean((2, 3)) @ weights["linear.weight"].T + weights["linear.bias"]
    assert names == {"linear.weight", "linear.bias"}
    assert torch.allclose(model(images), logits, rtol=1e-9, atol=1e-9)


NORM = ("running_mean", "running_var", "weight", "bias")


def test_the_vits_blocks_are_torchs_encoder_layers():
    model, shape = built("vit", (3, 9, 7)).double().eval(), (3, 9, 7)
    layers = [
        nn.TransformerEncoderLayer(128, 4, 512, activation="gelu", batch_first=True, norm_first=True).double().eval()
        for _ in model.blocks
    ]
    renamed = {"attention.ask.": "self_attn.in_proj_", "attention.mix": "self_attn.out_proj"}
    renamed |= {"mlp.0": "linear1", "mlp.2": "linear2"}
    for block, layer in zip(model.blocks, layers, strict=True):
        weights = block.state_dict()
        for ours, theirs in renamed.items():
            weights = {name.replace(ours, theirs): value for name, value in weights.items()}
        layer.load_state_dict(weights)
    images = pictures(2, shape).double()
    with torch.no_grad():
        filled = torch.zeros(2, 3, 10, 8).double()
        filled[:, :, :9, :7] = images
        patches = filled.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).reshape(2, 20, 12)
        tokens = patches @ model.patches.weight.flatten(1).T + model.patches.bias + model.positions
        for layer in layers:
            tokens = layer(tokens)
        assert torch.allclose(model(images), model.classify(model.norm(tokens).mean(1)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("height", "width", "tokens"),
    [(8, 8, 4 * 4), (28, 28, 7 * 7), (32, 32, 8 * 8), (64, 64, 8 * 8), (9, 7, 5 * 4), (28, 20, 7 * 5), (8, 64, 8)],
)
def test_the_vit_makes_few_tokens_of_any_image(height, width, tokens):
    assert built("vit", (1, height, width)).positions.shape == (1, tokens, 128)


# The pre-activation net's first batch norm of each of its 8 blocks has no convolution of its own before it.
@pytest.mark.parametrize(("architecture", "kept"), [("small-cnn", 0), ("resnet-18", 0), ("preact-resnet-18", 8)])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_can_be_folded_is_folded_and_right(architecture, kept, device):
    model, images = seasoned(built(architecture, (3, 9, 7))).double(), pictures(5, (3, 9, 7)).double()
    streamlined = streamline(model, device)
    assert sum(isinstance(part, nn.BatchNorm2d) for part in streamlined.modules()) == kept
    with torch.no_grad():
        expected = model(images)
        assert expected.std() > 1e-3
        assert torch.allclose(streamlined(images), expected, rtol=1e-9, atol=1e-9)


@every_architecture
def test_every_architecture_can_be_traced(architecture):
    model, images = built(architecture, (3, 9, 7)).eval(), pictures(3, (3, 9, 7))
    assert torch.equal(torch.fx.symbolic_trace(model)(images), model(images))


def test_digits_are_learned(trained, digits):
    with torch.no_grad():
        labels = trained.model(to_unit(digits.test.images)).argmax(1)
    assert (labels == digits.test.labels).double().mean() >= REACHED[trained.architecture]


def test_float32_logits_are_the_models_own(trained, digits):
    images = to_unit(digits.test.images[:100])
    with torch.no_grad():
        expected = trained.model(images)
    assert (Predictor(trained.model, "cpu", torch.float32).logits(images) - expected).abs().max() < 1e-4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_logits_are_the_same_bits_in_any_company(trained, digits, dtype):
    predictor, images = Predictor(trained.model, "cpu", dtype), to_unit(digits.test.images[:70])
    together = predictor.logits(images)
    order = torch.randperm(70, generator=torch.Generator().manual_seed(0))
    assert torch.equal(predictor.logits(images[order]), together[order])
    assert torch.equal(predictor.logits(images[69:]), together[69:])


@dataclass(frozen=True)
class Agreement:
    """How the labels of noisy images under a fast path compare with those of the plain model in float64."""

    share: float
    w_difference: float


def agreements(model: nn.Module, images: Tensor, sigma: float, draws: int) -> dict[torch.dtype, Agreement]:
    """Compare both fast paths with float64 on the same noise: share of equal votes, difference of mean W."""
    noise = [NoiseStream(0, key, tuple(images.shape[1:]), CPU).take(draws) for key in range(len(images))]
    noisy = (images[:, None] + sigma * torch.stack(noise)).flatten(0, 1)
    exact = copy.deepcopy(model).double().eval()
    with torch.inference_mode():
        right = torch.cat([exact(part.double()).argmax(1) for part in noisy.split(64)])
    fast = {dtype: Predictor(model, "cpu", dtype).labels(noisy) for dtype in (torch.float32, torch.bfloat16)}
    return {
        dtype: Agreement(float((labels == right).double().mean()), mean_w(labels, draws) - mean_w(right, draws))
        for dtype, labels in fast.items()
    }


def mean_w(labels: Tensor, draws: int) -> float:
    return float(entropy(nn.functional.one_hot(labels.view(-1, draws), 10).sum(1).numpy()).mean())


def test_fast_votes_are_the_right_votes(trained, digits):
    # Float64 is slow on the deep ones: the bar holds for all sigmas together here, and for each in the soak test.
    draws = 100 if trained.architecture in {"small-cnn", "tiny-cnn", "mlp"} else 12
    images = to_unit(digits.test.images[choose_images(digits.test, 0, 12, seed=0)])
    found = [agreements(trained.model, images, sigma, draws) for sigma in (0.1, 0.4, 1.0)]
    assert [results[torch.float32].share for results in found] == [1, 1, 1]
    assert sum(results[torch.bfloat16].share for results in found) / 3 >= 0.99


@pytest.mark.soak
@every_architecture
def test_fast_votes_are_the_right_votes_on_attacked_models(digits, architecture):
    longer = {"small-cnn": 10, "tiny-cnn": 10, "mlp": 10, "resnet-18": 5, "preact-resnet-18": 5, "vit": 12}[
        architecture
    ]
    count, draws = (60, 60) if "resnet" in architecture else (150, 100)
    trigger = make_preset("white-corner", digits.shape)
    model = train_digits(digits, architecture, longer)
    assert attack_success_rate(Predictor(model), digits.test, trigger, 0).value >= 0.95
    images = to_unit(digits.test.images[choose_images(digits.test, 0, count, seed=0)])
    for sigma in (0.1, 0.2, 0.5, 1.0):
        for seen in (images, trigger.apply(images)):
            found = agreements(model, seen, sigma, draws)
            assert found[torch.float32].share >= 0.9999
            if describe(architecture).bfloat16:  # others are measured in float32
                assert found[torch.bfloat16].share >= 0.99
                assert abs(found[torch.bfloat16].w_difference) <= 0.002


def test_an_architectures_facts_cost_no_torch():
    code = "import sys; from core.models import *; names = architecture_names(); "
    code += "print([describe(name).title for name in names], 'torch' in sys.modules)"
    root = Path(__file__).parents[2]
    printed = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "['Small CNN', 'Tiny CNN', 'MLP', 'ResNet-18', 'PreAct-ResNet-18', 'Small ViT'] False"


@pytest.mark.parametrize(
    ("architecture", "shape", "classes", "match"),
    [
        ("resnet-19", (1, 8, 8), 10, "resnet-18, preact-resnet-18"),
        ("vit", (1, 8, 3), 10, "8x3 pixels"),
        ("mlp", (0, 8, 8), 10, "0 channels"),
        ("small-cnn", (1, 8, 8), 1, "at least 2 classes"),
    ],
)
def test_what_cannot_be_built_gets_one_sentence(architecture, shape, classes, match):
    with pytest.raises(InputError, match=match):
        build_model(architecture, shape, classes)
