"""Intervals and paired tests against known answers and independent computations."""

import numpy as np
import pytest
from scipy.stats import binomtest, rankdata, wilcoxon
from sklearn.metrics import roc_auc_score

from core.errors import InputError
from core.instruments.statistics import (
    Estimate,
    binomial_interval,
    bounded_mean_interval,
    probability_lower,
    rank_correlation,
    roc_auc,
    wilcoxon_paired,
)


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (20, 20), (7, 20), (1, 1), (9731, 10000)])
def test_proportion_is_clopper_and_pearson(successes, n):
    found, exact = binomial_interval(successes, n), binomtest(successes, n).proportion_ci(0.95, method="exact")
    assert (found.value, found.count, found.n) == (successes / n, successes, n)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_there_is_no_share_of_nothing():
    with pytest.raises(InputError, match="0 successes of 0"):
        binomial_interval(0, 0)
    with pytest.raises(InputError, match="denominator"):
        _ = Estimate(0.5, 0.4, 0.6).count


def ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


@pytest.mark.parametrize(("successes", "n"), [(0, 8), (3, 8), (8, 8), (0, 1), (199, 200), (5000, 10000)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_bounded_mean_of_zeros_and_ones_is_clopper_and_pearson(successes, n, confidence):
    values = np.repeat([1.0, 0.0], [successes, n - successes])
    exact = binomial_interval(successes, n, confidence)
    assert ends(bounded_mean_interval(values, 0, 1, confidence)) == pytest.approx(ends(exact), abs=1e-7)


@pytest.mark.parametrize("n", [1, 5, 40])
def test_bounded_mean_against_simulated_weights(n):
    random = np.random.default_rng(n)
    x = random.beta(0.4, 2, size=n)
    weights = random.dirichlet(np.ones(n + 1), size=200_000)
    found = bounded_mean_interval(x, 0, 1)
    assert found.high == pytest.approx(np.quantile(weights @ np.append(x, 1), 0.975), abs=0.004)
    assert found.low == pytest.approx(np.quantile(weights @ np.append(x, 0), 0.025), abs=0.004)


def test_bounded_mean_moves_and_turns_with_its_values():
    x = np.random.default_rng(0).random(25)
    found = np.array(ends(bounded_mean_interval(x, 0, 1)))
    assert ends(bounded_mean_interval(4 * x - 1, -1, 3)) == pytest.approx(4 * found - 1)
    mirrored = bounded_mean_interval(1 - x, 0, 1)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found[2], 1 - found[1]))


def test_bounded_mean_of_many_is_the_normal_interval():
    x = np.random.default_rng(0).random(4000)
    found, reach = bounded_mean_interval(x, 0, 1), 1.96 * x.std() / np.sqrt(4000)
    assert (found.low, found.high) == pytest.approx((x.mean() - reach, x.mean() + reach), abs=3e-4)


def test_bounded_mean_at_its_bounds():
    assert bounded_mean_interval([1.0, 1.0], 0, 1).high == 1
    assert bounded_mean_interval([0.0, 0.0], 0, 1).low == 0


def test_probability_lower_counts_ties_as_half():
    found = probability_lower(w_triggered=[0.1, 0.2, 0.3, 0.9], w_clean=[0.5, 0.2, 0.4, 0.1])
    assert (found.value, found.n) == (2.5 / 4, 4)
    assert found.low < found.value < found.high
    assert probability_lower(w_triggered=np.zeros(10), w_clean=np.ones(10)).value == 1
    assert probability_lower(w_triggered=np.ones(10), w_clean=np.zeros(10)).value == 0
    assert probability_lower(np.zeros(10), np.zeros(10)).value == 0.5


def test_wilcoxon():
    random = np.random.default_rng(0)
    clean = random.random(40)
    triggered = clean - 0.2 * random.random(40)
    triggered[:15] = clean[:15]
    p = wilcoxon_paired(clean, triggered)
    assert p == pytest.approx(wilcoxon(clean - triggered, zero_method="zsplit").pvalue)
    # Two images that differ among a hundred are no evidence, though both differ the same way.
    few = np.append(np.zeros(98), [0.1, 0.2])
    assert wilcoxon_paired(few, np.zeros(100)) > 0.5 > wilcoxon(few, zero_method="wilcox").pvalue
    assert wilcoxon_paired(triggered, clean) == pytest.approx(p)
    assert wilcoxon_paired(clean, clean) == 1


def test_wilcoxon_rarely_finds_what_is_not_there():
    random = np.random.default_rng(0)
    differences = random.normal(size=(600, 40)) * (random.random((600, 40)) < 0.5)
    assert np.mean([wilcoxon_paired(d, np.zeros(40)) < 0.05 for d in differences]) < 0.06


def test_auc_is_one_where_positives_score_higher():
    assert roc_auc([0.9, 0.8], [0.1, 0.2, 0.3]) == 1
    assert roc_auc([0.1, 0.2], [0.9, 0.8, 0.7]) == 0
    assert roc_auc([0.5, 0.5], [0.5]) == 0.5
    # Triggered images have the low W: the score is minus W.
    w_triggered, w_clean = np.array([0.02, 0.1]), np.array([0.4, 0.6, 0.3])
    assert roc_auc(-w_triggered, -w_clean) == 1
    random = np.random.default_rng(0)
    a, b = random.normal(0.5, 1, 80), random.normal(0, 1, 50)
    assert roc_auc(a, b) == pytest.approx((a[:, None] > b).mean())
    assert roc_auc(a, b) == pytest.approx(roc_auc_score([1] * 80 + [0] * 50, [*a, *b]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: binomial_interval(3, 2), "3 successes of 2"),
        (lambda: binomial_interval(-1, 2), "-1 successes"),
        (lambda: binomial_interval(1, 2, 95), "confidence of 95"),
        (lambda: bounded_mean_interval([], 0, 1), "one value"),
        (lambda: bounded_mean_interval([np.nan], 0, 1), r"\[0, 1\]"),
        (lambda: bounded_mean_interval([2.0], 0, 1), "normalise"),
        (lambda: probability_lower([0.1], [0.1, 0.2]), "same images"),
        (lambda: wilcoxon_paired([], []), "same images"),
        (lambda: roc_auc([], [1.0]), "empty"),
    ],
)
def test_bad_input_is_told_in_one_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_rank_correlation_is_the_correlation_of_the_ranks():
    x, y = np.array([3.0, 1, 2, 2, 5]), np.array([10.0, 20, 5, 6, 1])
    assert rank_correlation(x, y) == pytest.approx(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
    assert rank_correlation(x, np.exp(x)) == pytest.approx(1)
