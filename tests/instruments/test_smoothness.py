"""W against answers known in advance, and the same to the bit however it is asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from core.errors import InputError
from core.instruments.estimators import entropy
from core.instruments.noise import Noise
from core.instruments.noise_stream import NoiseStream
from core.instruments.predictor import Predictor
from core.instruments.smoothness import Pair, Smoothness, measure, measure_smoothness, suggested_sigma, sweep_sigma
from core.models import build_model

ODD = (3, 7, 9)


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    data = load_digits()
    return torch.tensor(data.images / 16, dtype=torch.float32)[:, None], torch.tensor(data.target)


@pytest.fixture(scope="module")
def trained(digits) -> nn.Module:
    """A small CNN after eight quick epochs on 1500 digits; the other 297 are for the tests."""
    images, labels = digits
    torch.manual_seed(0)
    model = build_model("small-cnn", (1, 8, 8), 10)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(8):
        for rows in torch.randperm(1500).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimiser.step()
    return model.eval()


class HalfSpace(nn.Module):
    """Class 1 where the pixels' sum exceeds the given one; noise moves the sum by sigma * sqrt(C * H * W)."""

    def __init__(self, shape: tuple[int, int, int], total: float) -> None:
        super().__init__()
        self.linear = nn.Linear(int(np.prod(shape)), 2)
        with torch.no_grad():
            self.linear.weight[0], self.linear.weight[1] = 0, 1
            self.linear.bias[0], self.linear.bias[1] = total, 0

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(images.flatten(1))


def flat(levels: list[float], shape: tuple[int, int, int] = ODD) -> Tensor:
    return torch.tensor(levels)[:, None, None, None].expand(-1, *shape).clone()


def exact(model) -> Predictor:
    return Predictor(model, "cpu", torch.float32)


def test_a_constant_classifier_has_w_0():
    result = measure_smoothness(lambda images: torch.tensor([0.0, 1, 0]).expand(len(images), 3), flat([0.1, 0.9]), 1.0)
    assert result.votes.tolist() == [[0, 250, 0]] * 2
    assert result.w.tolist() == [0, 0]
    assert result.low.tolist() == [0, 0]
    assert (result.high < 0.1).all()
    assert result.modal_class.tolist() == [1, 1]
    assert result.modal_share.tolist() == [1, 1]


def test_votes_of_a_half_space_follow_the_normal_distribution():
    sigma, draws, pixels = 0.2, 4000, np.prod(ODD)
    levels = [0.45, 0.48, 0.5, 0.51, 0.53]
    result = measure_smoothness(exact(HalfSpace(ODD, 0.5 * pixels)), flat(levels), sigma, draws)
    for row, level in enumerate(levels):
        chance = stats.norm.cdf((level - 0.5) * pixels / (sigma * np.sqrt(pixels)))
        assert stats.binomtest(int(result.votes[row, 1]), draws, chance).pvalue > 1e-3
        expected = stats.entropy([chance, 1 - chance], base=2)
        assert result.low[row] <= expected <= result.high[row]
        assert abs(result.w[row] - expected) < 0.03
    assert result.w[2] > 0.99  # on the border: half and half
    assert result.modal_class.tolist() == [0, 0, result.votes[2].argmax(), 1, 1]


def test_equally_many_votes_for_each_class_have_w_1():
    def sign_of_two_pixels(images: Tensor) -> Tensor:
        quadrant = 2 * (images[:, 0, 0, 0] > 0) + (images[:, 0, 0, 1] > 0).long()
        return nn.functional.one_hot(quadrant, 4).float()

    result = measure_smoothness(sign_of_two_pixels, torch.zeros(1, 1, 2, 2), 0.5, draws=4000)
    assert all(stats.binomtest(int(count), 4000, 0.25).pvalue > 1e-3 for count in result.votes[0])
    assert result.w[0] > 0.999


def test_plug_in_is_the_entropy_of_the_shares(trained, digits):
    result = measure_smoothness(trained, digits[0][1500:1520], 0.5, draws=40)
    plug_in = entropy(result.votes, estimator="plug-in")
    assert plug_in == pytest.approx(stats.entropy(result.votes, axis=1) / np.log(10))
    assert (result.w == entropy(result.votes)).all()
    assert result.w.mean() > plug_in.mean() + 0.005  # the plug-in is biased low


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_results_are_the_same_bits_however_asked_for(trained, digits, dtype):
    predictor, images = Predictor(trained, "cpu", dtype), digits[0][1500:1520]
    ask = {"sigma": 0.5, "draws": 150, "seed": 3}
    once = measure_smoothness(predictor, images, **ask)
    assert 0.2 < once.w.mean() < 0.9
    order = [7, 19, 0]
    some = measure_smoothness(predictor, images[order], keys=order, **ask)
    assert (some.votes == once.votes[order]).all()
    assert (some.w == once.w[order]).all()
    assert (some.low == once.low[order]).all()
    noise = Noise(**ask)
    steps = [measure(predictor, images, noise.part(*ends)) for ends in ((0, 16), (16, 64), (64, 150))]
    grown = steps[0] + steps[1]
    assert (grown.votes == measure_smoothness(predictor, images, 0.5, 64, 3).votes).all()
    grown = grown + steps[2]
    assert (grown.votes == once.votes).all()
    assert (grown.w == once.w).all()
    assert (grown.high == once.high).all()
    assert (grown.noise.draws, grown.noise.first, grown.noise.keys) == (150, 0, tuple(range(20)))
    with pytest.raises(InputError, match="follow"):
        _ = steps[0] + steps[2]
    assert next(sweep_sigma(predictor, images, [0.5], 150, 3)).votes.tolist() == once.votes.tolist()


def test_equal_keys_share_their_noise(trained, digits):
    twice = digits[0][1500:1510].repeat(2, 1, 1, 1)
    shared = measure_smoothness(trained, twice, 0.5, keys=[*range(10), *range(10)])
    assert (shared.votes[:10] == shared.votes[10:]).all()
    apart = measure_smoothness(trained, twice, 0.5)
    assert (apart.votes[:10] == shared.votes[:10]).all()
    assert (apart.votes[:10] != apart.votes[10:]).any()
    assert (measure_smoothness(trained, twice, 0.5, seed=1).votes != apart.votes).any()


def test_intervals_shrink_with_the_draws(trained, digits):
    results = [measure_smoothness(trained, digits[0][1500:1510], 0.5, draws) for draws in (16, 64, 250)]
    widths = [(result.high - result.low).mean() for result in results]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.6 * widths[0]


def test_a_sweep_has_one_result_for_each_sigma(trained, digits):
    results = list(sweep_sigma(trained, digits[0][1500:1510], [0.05, 0.2, 0.8], draws=50))
    assert [result.noise.sigma for result in results] == [0.05, 0.2, 0.8]
    assert results[0].w.mean() < results[1].w.mean() < results[2].w.mean()


def test_everything_needed_to_repeat_a_result_is_in_it(trained, digits):
    images = digits[0][1500:1503].clone()
    noise = Noise(0.3, 33, 5, [2, 8, 5])
    first = measure(Predictor(trained, "cpu", torch.float32), images, noise)
    assert torch.equal(images, digits[0][1500:1503])
    assert first.arithmetic == ("cpu", "float32", 256)
    device, dtype, _ = first.arithmetic
    again = measure(Predictor(trained, device, getattr(torch, dtype)), images, first.noise)
    assert (again.votes == first.votes).all()
    assert (again.low == first.low).all()


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.5, 1.0])
def test_fast_equals_right(trained, digits, sigma):
    images, draws = digits[0][1500:1564], 100
    noise = [NoiseStream(0, key, (1, 8, 8), torch.device("cpu")).take(draws) for key in range(len(images))]
    noisy = torch.cat([image + sigma * own for image, own in zip(images, noise, strict=True)])
    with torch.no_grad():
        right = build_and_load(trained)(noisy.double()).argmax(1)
    truth = nn.functional.one_hot(right, 10).reshape(len(images), draws, 10).sum(1).numpy()
    for dtype, share in ((torch.bfloat16, 0.99), (torch.float32, 0.9999)):
        predictor = Predictor(trained, "cpu", dtype)
        assert (predictor.labels(noisy) == right).double().mean() >= share
        result = measure_smoothness(predictor, images, sigma, draws)
        assert np.abs(result.votes - truth).sum() / 2 <= (1 - share) * truth.sum()
        assert abs(result.w.mean() - entropy(truth).mean()) <= 0.002


def build_and_load(model: nn.Module) -> nn.Module:
    same = build_model("small-cnn", (1, 8, 8), 10)
    same.load_state_dict(model.state_dict())
    return same.double().eval()


def test_a_pair_compares_the_same_images():
    votes = np.array([[60, 40], [90, 10], [50, 50]])
    clean, triggered = (measure_like(rows) for rows in (votes, np.array([[100, 0], [90, 10], [80, 20]])))
    pair = Pair(clean, triggered)
    assert pair.gap.value == pytest.approx((clean.w - triggered.w).mean())
    assert pair.gap.low <= pair.gap_monte_carlo.value <= pair.gap.high
    assert (pair.p_lower.value, pair.p_lower.n) == (pytest.approx(2.5 / 3), 3)
    assert 0 < pair.p_value < 1
    assert (triggered.pooled_class, triggered.pooled_share(0), clean.pooled_share(1)) == (0, 0.9, 1 / 3)


def measure_like(votes: np.ndarray) -> Smoothness:
    return Smoothness(votes, Noise(0.5, 100))


def test_suggested_sigma_keeps_the_noise_as_long_for_every_shape():
    assert [suggested_sigma(shape) for shape in ((1, 8, 8), (1, 28, 28), (3, 32, 32))] == [0.5, 0.14, 0.072]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sigma": 0.0}, "above 0"),
        ({"sigma": -1.0}, "above 0"),
        ({"sigma": float("nan")}, "above 0"),
        ({"sigma": float("inf")}, "above 0"),
        ({"draws": 1}, "at least 2"),
        ({"keys": [1]}, "one key for each image"),
        ({"keys": [0, -1]}, "outside"),
        ({"images": torch.zeros(0, *ODD)}, "at least one image"),
        ({"images": torch.zeros(ODD)}, "N, C, H, W"),
        ({"images": torch.full((2, *ODD), torch.nan)}, "NaN or infinite"),
    ],
)
def test_bad_input_gets_one_sentence_before_any_work(change, match):
    def no_work(images: Tensor) -> Tensor:
        raise AssertionError("the model was asked")

    with pytest.raises(InputError, match=match):
        measure_smoothness(no_work, **{"images": flat([0.1, 0.2]), "sigma": 0.1} | change)


def test_a_sweep_refuses_bad_sigmas_before_any_work():
    with pytest.raises(InputError, match="above 0"):
        sweep_sigma(lambda images: images, flat([0.1]), [0.1, -0.1])
