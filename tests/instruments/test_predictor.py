"""The fast path gives the model's own answers, to the bit whatever the company, and its noise is noise."""

from __future__ import annotations

import copy
import itertools
from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from core.errors import InputError
from core.instruments.noise import KEYS, Noise
from core.instruments.noise_stream import NoiseStream
from core.instruments.predictor import Predictor, as_predictor
from core.models import build_model
from core.models.normalize import Normalize
from core.models.streamline import streamline

CPU = torch.device("cpu")
# 7 * 9 * 3 is no multiple of the sixteen numbers that torch makes at a time.
ODD = (3, 17, 19)


def noise(seed: int = 0, key: int = 0, draws: int = 100, shape: tuple[int, int, int] = ODD, first: int = 0) -> Tensor:
    return NoiseStream(seed, key, shape, CPU, first).take(draws)


def seasoned(model: nn.Module) -> nn.Module:
    """Give batch norms statistics and scales as after a training, so that folding them is not a matter of course."""
    generator = torch.Generator().manual_seed(1)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.3, generator=generator)
            part.running_var.uniform_(0.3, 3, generator=generator)
            nn.init.normal_(part.weight, 1, 0.3, generator=generator)
            nn.init.normal_(part.bias, 0, 0.3, generator=generator)
    return model


def untrained(shape: tuple[int, int, int] = ODD, classes: int = 5) -> nn.Module:
    """Return a model that gives noisy pictures every class now and then."""
    torch.manual_seed(0)
    model = seasoned(build_model("small-cnn", shape, classes)).eval()
    with torch.no_grad():
        model.classify.bias -= model(pictures(50, shape) + 0.5 * noise(draws=50, shape=shape)).mean(0)
    return model


def pictures(count: int, shape: tuple[int, int, int] = ODD) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(2))


class Residual(nn.Module):
    """A block with a way around it, an activation before a convolution and a pooling after one."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.before, self.conv1, self.between = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.conv2, self.relu, self.pool = nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        x = self.relu(self.stem_norm(self.stem(images)))
        x = x + self.conv2(self.relu(self.between(self.conv1(self.relu(self.before(x))))))
        return self.head(self.pool(self.relu(x)).mean((2, 3)))


class TwoNormsOneConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.one, self.other = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        return self.other(self.conv(self.one(self.conv(images)))).mean((2, 3))


class NormAndAPeek(nn.Module):
    """The convolution's output is used beside its batch norm, so that it must not be folded."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        plain = self.conv(images)
        return (plain + self.norm(plain)).mean((2, 3))


class TwoNames(nn.Module):
    """Parts that stand under two names, called by one of each."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.relu, self.pool = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)
        self.parts = nn.Sequential(self.conv, self.norm, self.relu, self.pool)

    def forward(self, images: Tensor) -> Tensor:
        return self.pool(self.parts[2](self.norm(self.parts[0](images)))).mean((2, 3))


class InPlaceAndAPeek(nn.Module):
    """What the ReLU has changed in place is read again beside the pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.pool = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        features = self.conv(images)
        pooled = self.pool(self.relu(features))
        return pooled.mean((2, 3)) + features.mean((2, 3))


class WeightNorm(nn.Sequential):
    def __init__(self, norm) -> None:
        super().__init__(norm(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Untraceable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        if images.sum() > 0:
            images = images * 2
        return self.norm(self.conv(images)).mean((2, 3))


class OverlappingPools(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.Conv2d(8, 8, 3),
            nn.BatchNorm2d(8),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Flatten(),
            nn.LazyLinear(5),
        )


STRUCTURES = [
    untrained,
    Residual,
    TwoNormsOneConvolution,
    NormAndAPeek,
    TwoNames,
    InPlaceAndAPeek,
    partial(WeightNorm, nn.utils.parametrizations.weight_norm),
    partial(WeightNorm, nn.utils.parametrizations.spectral_norm),
    Untraceable,
    OverlappingPools,
]


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_streamlined_model_computes_the_same(structure, device):
    torch.manual_seed(0)
    model = structure()
    model(pictures(2))
    model = seasoned(model).double().eval()
    images = pictures(9).double()
    expected = model(images)
    assert torch.allclose(streamline(model, device)(images), expected, rtol=1e-10, atol=1e-10)
    assert expected.std() > 1e-3


def test_batch_norms_after_convolutions_are_gone():
    parts = list(streamline(untrained(), "cpu").modules())
    assert not any(isinstance(part, nn.BatchNorm2d) for part in parts)
    assert sum(isinstance(part, nn.Conv2d) for part in parts) == 3
    kept = [part for part in streamline(Residual(), "cpu").modules() if isinstance(part, nn.BatchNorm2d)]
    assert len(kept) == 1  # the one that comes before its convolution


def test_a_model_whose_images_depend_on_each_other_is_refused():
    with pytest.raises(InputError, match="running statistics"):
        Predictor(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)))


def test_the_model_given_is_not_touched():
    model = untrained().train()
    before = copy.deepcopy(model.state_dict())
    predictor = Predictor(model, "cpu")
    images = pictures(3)
    predictor.votes(images, Noise(0.3, 5))
    assert all(part.training for part in model.modules())
    assert all(weight.requires_grad and weight.dtype == torch.float32 for weight in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(images, pictures(3))


def test_logits_are_the_models_own():
    model, images = untrained().eval(), pictures(70)
    with torch.no_grad():
        expected = copy.deepcopy(model).double()(images.double())
    for dtype, tolerance in ((torch.float64, 1e-6), (torch.float32, 1e-5), (torch.bfloat16, 3e-2)):
        logits = Predictor(model, "cpu", dtype).logits(images)
        assert logits.dtype == torch.float32
        assert (logits - expected).abs().max() < tolerance * (expected - model.classify.bias).abs().max()
    exact = Predictor(model, "cpu", torch.float64)
    assert torch.equal(exact.labels(images), expected.argmax(1))


def test_images_are_normalised_before_they_are_rounded():
    model = nn.Sequential(Normalize(3), nn.Flatten())
    model[0].mean.fill_(0.4999), model[0].std.fill_(0.3003)
    images = pictures(5)
    logits = Predictor(model, "cpu", torch.bfloat16).logits(images)
    assert torch.equal(logits, ((images - 0.4999) / 0.3003).flatten(1).bfloat16().float())
    assert model[0].mean.dtype == torch.float32


def test_what_was_chosen_is_recorded():
    predictor = Predictor(untrained(), "cpu", torch.bfloat16)
    assert (predictor.device, predictor.dtype) == (CPU, torch.bfloat16)
    assert as_predictor(predictor) is predictor


def test_a_batch_of_small_images_holds_as_many_pixels_as_256_of_8_by_8():
    on_cpu = Predictor(untrained(), "cpu")
    shapes = [(1, 8, 8), (3, 12, 12), (1, 16, 16), (1, 28, 28), (3, 224, 224)]
    assert [on_cpu.batch_of(shape) for shape in shapes] == [256, 113, 64, 64, 64]


def test_any_callable_will_do():
    seen = []

    def darkest_channel(images: Tensor) -> Tensor:
        seen.append((images.shape, images.dtype))
        return -images.mean((2, 3))

    images = pictures(70)
    assert torch.equal(Predictor(darkest_channel).labels(images), images.mean((2, 3)).argmin(1))
    assert set(seen) == {(torch.Size((64, *ODD)), torch.float32)}


DTYPES = [torch.bfloat16, torch.float32]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [ODD, (1, 8, 8), (1, 28, 28), (3, 32, 32)])
def test_logits_are_the_same_bits_in_any_company(dtype, shape):
    predictor = Predictor(untrained(shape), "cpu", dtype)
    several = 2 * predictor.batch_of(shape) + 22
    images = pictures(several, shape)
    together = predictor.logits(images)
    order = torch.randperm(several, generator=torch.Generator().manual_seed(0))
    assert torch.equal(predictor.logits(images[order]), together[order])
    assert torch.equal(predictor.logits(images[11:100]), together[11:100])
    assert torch.equal(predictor.logits(images[-1:]), together[-1:])


@pytest.mark.parametrize("dtype", DTYPES)
def test_logits_are_the_same_bits_on_any_number_of_threads(dtype):
    predictor, images = Predictor(untrained((1, 28, 28)), "cpu", dtype), pictures(70, (1, 28, 28))
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(predictor.logits(images))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*results)


@pytest.mark.parametrize("dtype", DTYPES)
def test_votes_are_the_same_in_any_company_and_in_any_pieces(dtype):
    predictor, images, keys = Predictor(untrained(), "cpu", dtype), pictures(12), list(range(100, 112))
    votes = predictor.votes(images, Noise(0.5, 83, 7, keys))
    assert votes.dtype == torch.int64
    assert votes.sum(1).tolist() == [83] * 12
    assert (votes > 0).sum() > 18  # else the model is too sure for the comparisons below to mean something
    order = [5, 3, 0, 11, 7]
    assert torch.equal(predictor.votes(images[order], Noise(0.5, 83, 7, [keys[i] for i in order])), votes[order])
    assert torch.equal(predictor.votes(images[4:5], Noise(0.5, 83, 7, keys[4:5])), votes[4:5])
    for cut in (1, 13, 64, 82):
        start = predictor.votes(images, Noise(0.5, cut, 7, keys))
        assert torch.equal(start + predictor.votes(images, Noise(0.5, 83 - cut, 7, keys, first=cut)), votes)


def test_votes_count_the_labels_of_the_named_noise():
    predictor, images = Predictor(untrained(), "cpu", torch.float32), pictures(3)
    votes = predictor.votes(images, Noise(0.5, 90, 3, [4, 9, 4]))
    for row, key in enumerate([4, 9, 4]):
        noisy = images[row] + 0.5 * noise(seed=3, key=key, draws=90)
        assert torch.equal(predictor.labels(noisy).bincount(minlength=5), votes[row])


def test_each_image_may_have_a_number_of_draws_of_its_own():
    predictor, images = Predictor(untrained(), "cpu"), pictures(3)
    votes = predictor.votes(images, Noise(0.5, (90, 1, 300), 3, [4, 9, 4], first=5))
    for row, (draws, key) in enumerate(zip((90, 1, 300), (4, 9, 4), strict=True)):
        alone = predictor.votes(images[[row]], Noise(0.5, draws, 3, [key], first=5))
        assert torch.equal(alone[0], votes[row])


@pytest.mark.parametrize("shape", [(3, 7, 9), (1, 1, 1), (1, 5, 5), (1, 8, 8)])
def test_noise_is_the_same_however_it_is_taken(shape):
    whole = noise(shape=shape)
    for sizes in ((1,) * 100, (7, 64, 29), (99, 1)):
        stream = NoiseStream(0, 0, shape, CPU)
        assert torch.equal(torch.cat([stream.take(size) for size in sizes]), whole)
    for first in (1, 63, 64, 99):
        assert torch.equal(noise(shape=shape, first=first, draws=100 - first), whole[first:])


def test_noise_made_in_blocks_is_the_same_however_it_is_taken():
    # The way of the accelerators, tried on the CPU so that it is tried everywhere.
    whole = NoiseStream(5, 6, ODD, CPU)._blocks(150)
    for first, sizes in ((0, (1,) * 150), (0, (7, 64, 79)), (63, (2, 85)), (64, (86,)), (149, (1,))):
        stream = NoiseStream(5, 6, ODD, CPU, first)
        assert torch.equal(torch.cat([stream._blocks(size) for size in sizes]), whole[first:])
    rows = np.corrcoef(whole.flatten(1).double().numpy())[np.triu_indices(150, 1)]
    assert np.abs(rows).max() * np.sqrt(189) < 5.5
    assert not torch.equal(NoiseStream(5, 7, ODD, CPU)._blocks(1), whole[:1])
    assert not torch.equal(NoiseStream(6, 6, ODD, CPU)._blocks(1), whole[:1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_an_accelerator_gives_the_same_bits_in_any_company_and_any_pieces():
    predictor, images, keys = Predictor(untrained(), "cuda"), pictures(12), list(range(100, 112))
    votes = predictor.votes(images, Noise(0.5, 300, 7, keys))
    assert torch.equal(predictor.votes(images, Noise(0.5, 300, 7, keys)), votes)
    assert torch.equal(predictor.votes(images[[7, 2]], Noise(0.5, 300, 7, [107, 102])), votes[[7, 2]])
    start = predictor.votes(images, Noise(0.5, 77, 7, keys))
    assert torch.equal(start + predictor.votes(images, Noise(0.5, 223, 7, keys, first=77)), votes)
    right = Predictor(untrained(), "cpu", torch.float64).votes(images, Noise(0.5, 300, 7, keys))
    assert (votes / 300 - right / 300).abs().mean() < 0.03  # other noise, the same model


def test_answers_may_take_part_in_gradients():
    predictor, images = Predictor(untrained(), "cpu"), pictures(3)
    weights = torch.ones(3, 5, requires_grad=True)
    for answer in (predictor.logits(images), predictor.votes(images, Noise(0.1, 2))):
        (weights * answer).sum().backward()
    nn.functional.cross_entropy(weights, predictor.labels(images)).backward()
    assert weights.grad.abs().sum() > 0


def test_equal_names_equal_noise_and_other_names_other_noise():
    names = [*itertools.product((0, 1, 2**32, -1), (0, 1, 2, 2**16, KEYS - 1))]
    draws = [noise(seed, key, draws=20) for seed, key in names]
    assert torch.equal(noise(1, 2, draws=20), draws[names.index((1, 2))])
    assert len({tuple(draw[0].flatten().tolist()) for draw in draws}) == len(names)


def test_noise_is_standard_normal():
    sample = torch.cat([noise(key=key, draws=20) for key in range(300)]).double().flatten().numpy()
    count = len(sample)
    assert abs(sample.mean()) < 4 / np.sqrt(count)
    assert abs(sample.var() - 1) < 4 * np.sqrt(2 / count)
    assert abs(stats.skew(sample)) < 4 * np.sqrt(6 / count)
    assert abs(stats.kurtosis(sample)) < 4 * np.sqrt(24 / count)
    assert stats.kstest(sample, "norm").pvalue > 1e-3
    for threshold in (3, 4):
        tail = 2 * stats.norm.sf(threshold)
        assert abs((np.abs(sample) > threshold).mean() - tail) < 4 * np.sqrt(tail / count)


@pytest.mark.parametrize("what", ["neighbouring keys", "neighbouring seeds", "draws of one key", "pixels of one draw"])
def test_noise_is_independent(what):
    if what == "neighbouring keys":
        rows = torch.stack([noise(key=key, draws=20).flatten() for key in range(150)])
    elif what == "neighbouring seeds":
        rows = torch.stack([noise(seed=seed, draws=20).flatten() for seed in range(150)])
    elif what == "draws of one key":
        rows = noise(draws=150, shape=(1, 60, 60)).flatten(1)
    else:
        rows = noise(draws=4000, shape=(1, 12, 12)).flatten(1).T
    correlations = np.corrcoef(rows.double().numpy())[np.triu_indices(len(rows), 1)] * np.sqrt(rows.shape[1])
    # Standard normal if the rows are independent: as a whole, and at the extremes.
    assert stats.kstest(correlations, "norm").pvalue > 1e-3
    assert np.abs(correlations).max() < 5.5


@pytest.mark.parametrize(
    ("images", "match"),
    [
        (torch.zeros(0, *ODD), "at least one image"),
        (torch.zeros(ODD), "N, C, H, W"),
        (np.zeros((2, *ODD)), "ndarray"),
        (torch.zeros(2, *ODD, dtype=torch.uint8), "divide by 255"),
        (torch.full((2, *ODD), float("nan")), "NaN or infinite"),
        (torch.full((2, *ODD), float("inf")), "NaN or infinite"),
    ],
)
def test_bad_images_get_one_sentence(images, match):
    predictor = Predictor(untrained(), "cpu")
    for ask in (predictor.logits, predictor.labels, lambda images: predictor.votes(images, Noise(0.1, 4, 0, [0, 1]))):
        with pytest.raises(InputError, match=match):
            ask(images)


@pytest.mark.parametrize(
    ("keys", "match"), [([0], "1 keys for 2 images"), ([0, -1], "outside"), ([0, KEYS], "outside")]
)
def test_bad_keys_get_one_sentence(keys, match):
    with pytest.raises(InputError, match=match):
        Predictor(untrained(), "cpu").votes(pictures(2), Noise(0.1, 4, 0, keys))
