"""Detectors: known answers, independent computations, and what other implementations got wrong."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from core.attacks.attack import Attack
from core.attacks.triggers import make_preset
from core.datasets import Dataset, Split
from core.errors import InputError
from core.instruments.detectors import DETECTORS
from core.instruments.detectors.activation_clustering import activation_clustering_scores
from core.instruments.detectors.comparison import ComparisonSpec, compare_detectors
from core.instruments.detectors.confidence import confidence_scores, margin_scores
from core.instruments.detectors.detector import Suspect
from core.instruments.detectors.features import answers_of, last_features
from core.instruments.detectors.hidden_dropout import HiddenDropout
from core.instruments.detectors.inputs import choose_inputs
from core.instruments.detectors.roc import auc_interval, roc_of, share_flagged, threshold_for
from core.instruments.detectors.scale_up import scale_up_scores
from core.instruments.detectors.smoothness import smoothness_scores
from core.instruments.detectors.spectral_signatures import spectral_scores
from core.instruments.detectors.strip import class_entropy, strip_scores
from core.instruments.detectors.trigger_inversion import anomaly_scores, invert_triggers
from core.instruments.predictor import Predictor
from core.instruments.smoothness import measure_smoothness
from core.runs.measured.detectors import detect_run


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 16), nn.ReLU(), nn.Linear(16, 4)
    ).eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def predictor(net):
    return Predictor(net, device="cpu", dtype=torch.float32, threads=1)


@pytest.fixture(scope="module")
def score(net, predictor, images):
    """Every detector of images, with its defaults."""
    dropout = HiddenDropout.prepare(net, images[:10])
    return {
        "smoothness": lambda shown: smoothness_scores(predictor, shown, 0.5),
        "strip": lambda shown: strip_scores(predictor, shown, images[:7]),
        "scale-up": lambda shown: scale_up_scores(predictor, shown),
        "dropout-shift": dropout.scores,
        "confidence": lambda shown: confidence_scores(predictor, shown),
        "margin": lambda shown: margin_scores(predictor, shown),
    }


IMAGE_DETECTORS = [name for name, words in DETECTORS.items() if words.looks_at == "image"]


@pytest.mark.parametrize("name", IMAGE_DETECTORS)
def test_permuted_images_give_permuted_scores_and_stay_as_they_are(score, images, name):
    order, before = torch.randperm(30, generator=torch.Generator().manual_seed(0)), images.clone()
    scores = score[name](images)
    assert scores.shape == (30,)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(score[name](images[order]), scores[order.numpy()], atol=1e-9)
    np.testing.assert_allclose(score[name](images[4:9]), scores[4:9], atol=1e-9)
    assert torch.equal(images, before)


def test_a_hooked_network_sees_batches_of_one_shape_however_many_images_there_are(net, images):
    """Equal shapes are what equal last bits rest on: this holds on every processor, and the test above follows."""
    seen = set()
    network = copy.deepcopy(net)
    network.register_forward_pre_hook(lambda _, inputs: seen.add(inputs[0].shape))
    for count in (1, 5, 30):
        shown = images[:count]
        assert sum(len(part) for part in answers_of(network, shown)) == count
        torch.testing.assert_close(torch.cat(list(answers_of(network, shown))), net(shown).detach())
    many = images.repeat(5, 1, 1, 1)
    assert [len(part) for part in answers_of(network, many)] == [64, 64, 22]
    assert len(seen) == 1
    assert last_features(net, many).shape == (150, 16)


def test_no_detector_leaves_a_trace_on_the_model(images):
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).train()
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    HiddenDropout.prepare(model, images).scores(images)
    last_features(model, images)
    for _ in invert_triggers(model, images, steps=6):
        pass
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(part.training for part in model.modules())
    assert not any(part._forward_pre_hooks for part in model.modules())
    assert all(weight.requires_grad and weight.grad is None for weight in model.parameters())
    assert torch.equal(random, torch.get_rng_state())


# W, STRIP, SCALE-UP, baselines


def test_the_smoothness_score_is_minus_w(predictor, images):
    scores = smoothness_scores(predictor, images, 0.5, draws=400)
    others = measure_smoothness(predictor, images, 0.5, 400, seed=9).w
    assert np.abs(scores + others).max() < 0.12  # the same but for the noise
    assert np.abs(scores + others).mean() < 0.03


def test_strip_agrees_with_a_computation_one_image_at_a_time(net, predictor, images):
    overlays = images[20:]
    expected = []
    for image in images[:6].numpy():
        entropies = []
        for overlay in overlays.numpy():
            with torch.no_grad():
                logits = net(torch.from_numpy(np.minimum(image + overlay, 1.0))[None])[0].double().numpy()
            shares = np.exp(logits - logits.max())
            shares /= shares.sum()
            entropies.append(-sum(share * np.log2(share) for share in shares))
        expected.append(-np.mean(entropies))
    np.testing.assert_allclose(strip_scores(predictor, images[:6], overlays), expected, atol=1e-5)


def test_entropy_is_taken_over_the_classes():
    """One-hot, uniform and half-half answers; more answers than classes and fewer."""
    rows = torch.tensor([[1.0, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0], [0, 0, 0, 1], [0.25] * 4, [0, 1, 0, 0]])
    np.testing.assert_allclose(class_entropy(rows), [0, 2, 1, 0, 2, 0])
    np.testing.assert_allclose(class_entropy(rows[:2]), [0, 2])


class Corner(nn.Module):
    """Says class 1 where the last pixel is bright, else 0 or 2 by the image's mean, of which it is never sure."""

    def forward(self, shown):
        mean = shown.mean((1, 2, 3)) - 0.4
        clean = torch.stack([mean, 0 * mean - 5, 0 * mean], 1)
        bright = (shown[:, 0, -1, -1] > 0.9)[:, None]
        return torch.where(bright, torch.tensor([0.0, 50.0, 0.0]), clean)


def test_a_trigger_that_always_wins_is_found_by_strip_and_scale_up_the_right_way_up(images):
    model = Corner()
    clean = 0.4 + 0.02 * (images - images.mean((1, 2, 3), keepdim=True))
    stamped = clean.clone()
    stamped[..., -1, -1] = 1
    model_predictor = Predictor(model, device="cpu", dtype=torch.float32)
    for scores in (
        lambda shown: strip_scores(model_predictor, shown, images[:9] * 0.3),
        lambda shown: smoothness_scores(model_predictor, shown, 0.05),
        lambda shown: confidence_scores(model_predictor, shown),
        lambda shown: margin_scores(model_predictor, shown),
    ):
        assert roc_of(scores(stamped), scores(clean)).auc.value == pytest.approx(1, abs=0.02)
    dim = torch.full((4, 1, 8, 8), 0.07)  # class 2, until it is amplified beyond a mean of 0.4: from factor 7 on
    bright = dim.clone()
    bright[..., -1, -1] = 1
    np.testing.assert_array_equal(scale_up_scores(model_predictor, bright), np.ones(4))
    # Of the factors 3, 5, 7, 9 and 11 two keep the class. The last pixel becomes 0.77 at most, which is no trigger.
    np.testing.assert_allclose(scale_up_scores(model_predictor, dim), np.full(4, 0.4))


def test_margin_tells_apart_what_the_softmax_rounds_to_one():
    model = Predictor(lambda shown: torch.stack([shown.mean((1, 2, 3)) * 2000, shown[:, 0, 0, 0] * 0], 1))
    shown = torch.full((2, 1, 4, 4), 0.5)
    shown[1] = 0.75
    assert confidence_scores(model, shown).tolist() == [1.0, 1.0]
    np.testing.assert_allclose(margin_scores(model, shown), [1000, 1500])


# PSBD


def test_dropout_drops_what_it_says_and_shifts_nothing_that_does_not_depend_on_it(images):
    """Of a linear readout of ones, dropout keeps a share of 1 - rate, scaled back up."""
    layer = nn.Linear(64, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.stack([torch.ones(64), torch.zeros(64)]) / 64)
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Flatten(), layer)
    with torch.no_grad():
        model[0].weight.fill_(0)
        model[0].bias.fill_(1)
    prepared = HiddenDropout(copy.deepcopy(model), (model[2],), 0.5, 0.0, 0)
    prepared = HiddenDropout(prepared.network, (prepared.network[2],), 0.5, 0.0, 0)
    found = [prepared._probabilities(images[:3], number) for number in range(40)]
    kept = torch.stack([torch.logit(part[:, 0]) for part in found])  # 2 * share of the kept values
    assert (kept[:, 0] == kept[:, 1]).all()
    assert len(set(kept[:, 0].tolist())) > 5
    assert float(kept.mean()) == pytest.approx(1, abs=0.05)
    assert HiddenDropout.prepare(model, images).shifted == 0  # class 0 wins whatever is dropped
    with pytest.raises(InputError, match="one layer only"):
        HiddenDropout.prepare(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), images)
    with pytest.raises(InputError, match="answers only"):
        HiddenDropout.prepare(lambda shown: shown.flatten(1), images)


def test_an_answer_that_rests_on_much_scores_above_one_that_rests_on_a_single_value():
    """A trigger's answer shifts less, so it is to score higher; of two equally sure answers, one hangs on one pixel."""
    pixels = nn.Conv2d(1, 1, 1)
    readout = nn.Linear(64, 2, bias=False)
    with torch.no_grad():
        pixels.weight.fill_(1)
        pixels.bias.fill_(0)
        readout.weight.zero_()
        readout.weight[0] = 8 / 63
        readout.weight[0, 0] = 8
    shown = torch.zeros(2, 1, 8, 8)
    shown[0, 0, 0, 0] = 1
    shown[1] = 1
    shown[1, 0, 0, 0] = 0
    model = nn.Sequential(pixels, nn.Flatten(), readout)
    sure = torch.softmax(model(shown), 1)[:, 0]
    assert sure[0].item() == pytest.approx(sure[1].item(), abs=1e-6)
    scores = [HiddenDropout(model, (readout,), 0.5, 0.0, seed).scores(shown) for seed in range(20)]
    single, many = np.array(scores).T
    # Half the passes drop the one pixel, and then the two classes are even.
    assert single.mean() == pytest.approx(-0.25, abs=0.1)
    assert np.abs(many).max() < 0.02


# Detectors of training sets


def two_kinds(clean: int, poisoned: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features of two labels, labels, and which are poisoned: those of label 1 that lie near label 0's."""
    random = np.random.default_rng(seed)
    centre = np.zeros((2, 12))
    centre[0, 0] = centre[1, 1] = 6
    parts = [centre[0] + random.normal(size=(clean, 12)), centre[1] + random.normal(size=(clean, 12))]
    parts.append(centre[0] + 0.5 * centre[1] + random.normal(size=(poisoned, 12)))
    labels = np.repeat([0, 1, 1], [clean, clean, poisoned])
    order = random.permutation(len(labels))
    bad = np.repeat([False, False, True], [clean, clean, poisoned])
    return np.concatenate(parts)[order], labels[order], bad[order]


@pytest.mark.parametrize("scores", [spectral_scores, activation_clustering_scores])
def test_planted_poison_stands_out_in_its_label_and_order_does_not_matter(scores):
    features, labels, bad = two_kinds(150, 20)
    before = features.copy()
    found = scores(features, labels)
    assert roc_of(found[bad], found[~bad & (labels == 1)]).auc.value > 0.97
    order = np.random.default_rng(1).permutation(len(labels))
    np.testing.assert_allclose(scores(features[order], labels[order]), found[order], rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(features, before)


def test_spectral_scores_agree_with_a_full_decomposition_and_are_centred():
    features, labels, _ = two_kinds(40, 7)
    found = spectral_scores(features, labels)
    for label in (0, 1):
        rows = features[labels == label]
        middle = rows - np.average(rows, axis=0)
        direction = np.linalg.svd(middle, full_matrices=False)[2][0]
        np.testing.assert_allclose(found[labels == label], (middle @ direction) ** 2, rtol=1e-8)
    # A constant added to every feature of a label changes nothing once they are centred, and everything before.
    np.testing.assert_allclose(spectral_scores(features + 1000.0, labels), found, rtol=1e-6)
    np.testing.assert_allclose(spectral_scores(np.ones((5, 3)), np.zeros(5)), np.zeros(5), atol=1e-20)


def test_activation_clustering_agrees_with_independent_components_and_another_k_means():
    """As the paper has it: ICA, then Lloyd's steps, written out here; and the smaller cluster is the suspicious one."""
    from sklearn.decomposition import FastICA

    features, labels, bad = two_kinds(150, 30)
    found = activation_clustering_scores(features, labels, dimensions=6)
    rows = features[labels == 1]
    reduced = FastICA(6, whiten="unit-variance", max_iter=2000, tol=1e-2, random_state=0).fit_transform(rows)
    best, members = np.inf, np.zeros(len(rows), int)
    random = np.random.default_rng(0)
    for _ in range(40):
        centres = reduced[random.choice(len(rows), 2, replace=False)]
        for _ in range(50):
            near = ((reduced[:, None] - centres) ** 2).sum(2).argmin(1)
            if near.min() == near.max():
                break
            centres = np.stack([reduced[near == number].mean(0) for number in (0, 1)])
        spread = ((reduced - centres[near]) ** 2).sum()
        if spread < best:
            best, members = spread, near
    expected = 1 - np.bincount(members)[members] / len(rows)
    np.testing.assert_allclose(found[labels == 1], expected)
    assert found[bad].mean() > 0.5 > found[~bad & (labels == 1)].mean()


def test_training_sets_that_cannot_be_used_are_a_sentence():
    with pytest.raises(InputError, match="one label for each image"):
        spectral_scores(np.zeros((3, 2)), np.zeros(4))
    with pytest.raises(InputError, match="NaN"):
        activation_clustering_scores(np.full((3, 2), np.nan), np.zeros(3))
    np.testing.assert_array_equal(activation_clustering_scores(np.zeros((3, 2)), np.arange(3)), np.zeros(3))


def test_features_are_what_the_last_layer_reads(net, images):
    with torch.no_grad():
        expected = net[:-1](images).double().numpy()
    np.testing.assert_allclose(last_features(net, images), expected, atol=1e-5)
    with pytest.raises(InputError, match="no linear layer"):
        last_features(nn.Sequential(nn.Conv2d(1, 3, 8), nn.Flatten()), images)


# Trigger inversion


def test_inversion_finds_the_pixel_that_decides_and_its_class(images):
    """Class 2 needs one bright pixel; every other class needs half of the image."""

    class Planted(nn.Module):
        def forward(self, shown):
            columns = shown[:, 0, :7].unflatten(2, (4, 2)).mean((1, 3))
            return 8 * columns + 20 * nn.functional.one_hot(torch.tensor(2), 4) * (shown[:, 0, 7, 7:] - 0.8)

    *_, found = invert_triggers(Planted(), images * 0.8, steps=200)
    assert found.suspicious.tolist() == [2]
    assert found.norms.argmin() == 2
    assert found.norms[2] < 3
    mask = found.masks[2, 0]
    assert np.unravel_index(mask.argmax(), mask.shape) == (7, 7)
    assert found.patterns[2, 0, 7, 7] > 0.9
    opacity, pattern = torch.from_numpy(found.masks[2]), torch.from_numpy(found.patterns[2])
    taken = Planted()(images * 0.8 * (1 - opacity) + opacity * pattern).argmax(1)
    assert (taken == 2).float().mean() > 0.9


def test_the_anomaly_index_is_the_distance_below_the_median_in_robust_deviations():
    norms = np.array([10.0, 12, 8, 11, 9, 1])  # median 9.5, absolute deviations .5 2.5 1.5 1.5 .5 8.5: their median 1.5
    np.testing.assert_allclose(anomaly_scores(norms), (9.5 - norms) / (1.4826 * 1.5))
    np.testing.assert_array_equal(anomaly_scores(np.full(5, 3.0)), np.zeros(5))
    assert anomaly_scores(np.array([5.0, 6, 7, 50]))[3] < 0  # far above the median is not suspicious


# ROC, AUC, thresholds


def test_auc_is_one_and_not_zero_where_suspicious_scores_are_higher():
    assert roc_of([3, 4, 5], [0, 1, 2]).auc.value == 1
    assert roc_of([0, 1, 2], [3, 4, 5]).auc.value == 0
    assert roc_of([1, 1, 1], [1, 1]).auc.value == 0.5
    assert auc_interval([1, 2], [1, 2]).value == 0.5
    with pytest.raises(InputError):
        roc_of([], [1])


def test_auc_is_the_share_of_pairs_in_order_ties_as_half():
    random = np.random.default_rng(0)
    positive, negative = random.integers(0, 6, 40), random.integers(0, 5, 30)
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    assert auc_interval(positive, negative).value == pytest.approx(np.mean(pairs))


def test_intervals_of_perfect_areas_are_not_points():
    low = auc_interval(np.arange(10) + 10, np.arange(10)).low
    assert low == pytest.approx(0.8, abs=0.005)
    mirrored = auc_interval(np.arange(10), np.arange(10) + 10)
    assert (mirrored.value, mirrored.low) == (0, 0)
    assert mirrored.high == pytest.approx(1 - low)


@pytest.mark.parametrize("kind", ["normal", "skewed", "tied", "two lumps"])
def test_intervals_of_areas_cover_the_true_one(kind):
    """In at least 9 of 10 of 150 samples; the true area is that of a very large one."""
    random = np.random.default_rng(7)

    def draw(count, bad):
        if kind == "normal":
            return random.normal(1.2 * bad, 1, count)
        if kind == "skewed":
            return random.exponential(1 + 3 * bad, count)
        if kind == "tied":
            return random.binomial(5, 0.3 + 0.4 * bad, count).astype(float)
        return np.where(random.random(count) < (0.8 if bad else 0.1), 5.0, 0.0) + random.normal(0, 1, count)

    truth = auc_interval(draw(20000, True), draw(20000, False)).value
    found = [auc_interval(draw(25, True), draw(40, False)) for _ in range(150)]
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.9


def test_thresholds_never_flag_more_clean_images_than_asked_ties_included():
    clean = np.array([0.0, 0, 0, 0, 1, 1, 1, 2, 3, 4])
    assert threshold_for(clean, 0.1) == 4
    assert threshold_for(clean, 0.25) == 3
    assert threshold_for(clean, 0.4) == 2  # 1 would flag six of ten
    assert threshold_for(clean, 0.6) == 1
    assert threshold_for(np.ones(50), 0.05) == float("inf")
    assert share_flagged([1, 1, 1], threshold_for(np.ones(50), 0.05)).value == 0
    assert share_flagged(clean, 2).count == 3
    for asked in (0.01, 0.05, 0.3, 0.77):
        scores = np.random.default_rng(0).integers(0, 9, 200)
        assert (scores >= threshold_for(scores, asked)).mean() <= asked
    with pytest.raises(InputError, match="between 0 and 1"):
        threshold_for(clean, 0)


# All of them on a run


@pytest.fixture(scope="module")
def own_attack(poisoned):
    return ComparisonSpec(poisoned.spec.attack, 0.5)


def test_no_image_is_in_two_groups():
    """Every image is one number, so that it is known again; the trigger leaves the first pixel alone."""
    numbers = torch.arange(200, dtype=torch.uint8)[:, None, None, None].expand(200, 1, 8, 8).clone()
    labels = torch.arange(200) % 5
    data = Dataset("numbered", tuple("abcde"), Split(numbers, labels), Split(numbers, labels), "numbered-1")
    attack = Attack(trigger=make_preset("white-corner", (1, 8, 8)), target=3)
    groups = choose_inputs(data, attack, 40, 0)
    seen = {
        name: (255 * getattr(groups, name)[:, 0, 0, 0]).round().int().tolist()
        for name in ("held_out", "other", "target", "triggered")
    }
    everything = [number for part in seen.values() for number in part]
    assert len(everything) == len(set(everything))
    assert [len(part) for part in seen.values()] == [50, 40, pytest.approx(30, abs=8), 40]
    assert {number % 5 for number in seen["target"]} == {3}
    assert 3 not in {number % 5 for number in [*seen["other"], *seen["triggered"]]}
    assert {number % 5 for number in seen["held_out"]} == set(range(5))
    assert (groups.triggered[..., -2:, -2:] == 1).all()
    everyone = choose_inputs(data, Attack(trigger=attack.trigger, mode="all-to-all"), 40, 0)
    assert len(everyone.target) == 0
    with pytest.raises(InputError, match="too few"):
        choose_inputs(Dataset("few", ("a", "b"), data.train, Split(numbers[:3], labels[:3]), "few-1"), attack, 40, 0)


def test_every_detector_runs_with_its_defaults_and_the_backdoor_is_seen(poisoned, data_root, own_attack):
    steps = list(detect_run(poisoned, own_attack, data_root))
    found = steps[-1]
    assert [step.share for step in steps] == sorted(step.share for step in steps)
    assert found.share == 1
    assert found.left_out == {}
    scored = found.by_image
    assert list(scored) == [name for name in DETECTORS if name != "neural-cleanse"]
    assert scored["strip"].against_other.auc.low > 0.9
    assert scored["smoothness"].against_other.auc.low > 0.9
    # W takes clean images of the target class for suspicious far more often: both comparisons have to be shown.
    assert scored["smoothness"].against_target.auc.value < scored["smoothness"].against_other.auc.value - 0.1
    inverted = found.by_class["neural-cleanse"]
    assert inverted.details["norms"].argmin() == 0
    assert inverted.suspicious[0] == 0
    assert scored["strip"].flagged.detected.value > 0.9
    again = list(detect_run(poisoned, own_attack, data_root))
    assert len(again) == 1  # from the run's directory
    assert list(again[0].by_image) == list(scored)
    for name, other in scored.items():
        one = again[0].by_image[name]
        assert one.flagged == other.flagged
        assert one.against_other.auc == other.against_other.auc
        np.testing.assert_array_equal(one.against_other.true_positive, other.against_other.true_positive)
    np.testing.assert_array_equal(again[0].by_class["neural-cleanse"].scores, inverted.scores)


def test_what_a_model_does_not_show_is_left_out_with_a_reason(control, data_root):
    """A plain callable gives neither gradients nor layers, and nobody knows what it was trained on."""
    network = control.model()

    def closed(shown):
        with torch.no_grad():
            return network(shown)

    data = control.dataset(data_root)
    spec = ComparisonSpec(Attack(trigger=make_preset("white-corner", data.shape), target=0), 0.5, draws=8, images=20)
    *_, found = compare_detectors(Suspect(closed, Predictor(closed), data, spec))
    assert list(found.by_image) == ["smoothness", "strip", "scale-up", "confidence", "margin"]
    left_out = found.left_out
    assert set(left_out) == set(DETECTORS) - set(found.by_image)
    assert "layers" in left_out["dropout-shift"]
    assert "gradients" in left_out["neural-cleanse"]
    assert not found.by_class
    assert found.share == 1


def test_every_detector_says_when_it_fails_and_who_says_so():
    for words in DETECTORS.values():
        assert words.fails.endswith(".")
        assert words.source.endswith(".")
