"""W from votes against known answers, independent computations and simulation."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, getcontext

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom

from core.benchmarks import coverage
from core.errors import InputError
from core.instruments import intervals, simulated_votes
from core.instruments.adaptive import draws_for_width
from core.instruments.estimators import entropy
from core.instruments.intervals import (
    entropy_interval,
    gap_interval_monte_carlo,
    gap_interval_sampling,
    mean_interval_monte_carlo,
    mean_interval_sampling,
)
from core.instruments.statistics import binomial_interval


def spread(top: int, rest: int, classes: int) -> np.ndarray:
    """One row of votes: `top` for the first class, `rest` for each other."""
    return np.array([[top] + [rest] * (classes - 1)])


def random_votes(seed: int, images: int, classes: int, draws: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.multinomial(draws, random.dirichlet(np.full(classes, 0.3), size=images))


@pytest.mark.parametrize("classes", [2, 10, 43])
def test_plug_in_known_answers(classes):
    one_hot = spread(100, 0, classes)
    uniform = spread(7, 7, classes)
    half_half = np.array([[60, 60] + [0] * (classes - 2)])
    found = [entropy(votes, "plug-in")[0] for votes in (one_hot, uniform, half_half)]
    assert found == pytest.approx([0, 1, np.log(2) / np.log(classes)])
    assert np.copysign(1, found[0]) == 1


def chao_wang_jost(counts: list[int]) -> float:
    """The published formula as it stands, in sixty digits: its series cancels in double precision."""
    getcontext().prec = 60
    n, once, twice = sum(counts), counts.count(1), counts.count(2)
    seen = sum(Decimal(c) / n * sum(Decimal(1) / k for k in range(c, n)) for c in counts if c)
    if once == 0:
        return float(seen)
    a = Decimal(2 * twice) / ((n - 1) * once + 2 * twice) if twice else Decimal(2) / ((n - 1) * (once - 1) + 2)
    if a == 1:
        return float(seen)
    series = -a.ln() - sum((1 - a) ** r / r for r in range(1, n))
    return float(seen + Decimal(once) / n * (1 - a) ** (1 - n) * series)


@pytest.mark.parametrize(
    "counts",
    [[2, 1, 0], [49, 1, 0, 0], [248, 1, 1, 0], [240, 2, 2, 2, 2, 1, 1], [1, 1, 1, 1, 0, 0], [5, 2, 2, 2, 2, 2, 2, 1]],
)
def test_corrected_is_the_published_formula(counts):
    expected = min(chao_wang_jost(counts), np.log(len(counts)))
    assert entropy(np.array([counts]))[0] == pytest.approx(expected / np.log(len(counts)), rel=1e-9)


def test_corrected_by_hand():
    # n = 3, one class seen once and one twice: A = 1/2; 5/6 from the seen, 4/3 (log 2 - 5/8) from the unseen.
    by_hand = 5 / 6 + 4 / 3 * (np.log(2) - 0.625)
    assert entropy(np.array([[2, 1, 0]]))[0] == pytest.approx(by_hand / np.log(3))


def test_corrected_removes_most_of_the_bias():
    cell = next(c for c in coverage.cells(10) if c.name == "top 0.7")
    votes = np.random.default_rng(0).multinomial(50, cell.p, size=4000)
    plug_in_bias = entropy(votes, "plug-in").mean() - cell.w
    assert plug_in_bias < -0.04
    assert abs(entropy(votes).mean() - cell.w) < 0.2 * abs(plug_in_bias)


def test_corrected_stays_within_bounds_and_above_plug_in():
    votes = np.concatenate([random_votes(1, 300, 10, 30), spread(3, 3, 10)])
    w = entropy(votes)
    assert w.max() <= 1
    assert (w >= entropy(votes, "plug-in") - 1e-12).all()
    assert w.max() == 1


def test_an_image_does_not_see_its_neighbours_nor_the_order_of_classes():
    votes = np.concatenate([random_votes(2, 12, 10, 250), random_votes(3, 12, 10, 64)])
    order = np.random.default_rng(0).permutation(24)
    low, high = entropy_interval(votes)
    assert (entropy(votes[order]) == entropy(votes)[order]).all()
    assert (np.array(entropy_interval(votes[order])) == np.array([low, high])[:, order]).all()
    assert np.array(entropy_interval(votes[5:6]))[:, 0].tolist() == [low[5], high[5]]
    assert (np.array(entropy_interval(votes[:, ::-1])) == [low, high]).all()


def test_torch_votes_are_votes():
    torch = pytest.importorskip("torch")
    votes = random_votes(4, 5, 10, 50)
    assert (entropy(torch.from_numpy(votes)) == entropy(votes)).all()


@pytest.mark.parametrize(("classes", "draws"), [(2, 50), (10, 250), (43, 1000)])
def test_interval_of_one_hot_votes_is_the_rule_of_p_to_the_n(classes, draws):
    low, high = entropy_interval(spread(draws, 0, classes))
    # Only one-hot votes are flatter than none, so the upper end is where p^n = 2.5%, the rest spread evenly.
    p = np.append(0.025 ** (1 / draws), np.full(classes - 1, (1 - 0.025 ** (1 / draws)) / (classes - 1)))
    assert low[0] == 0
    assert high[0] == pytest.approx(-(p * np.log(p)).sum() / np.log(classes), rel=0.06)


@pytest.mark.parametrize("top", [150, 200, 240])
def test_interval_for_two_classes_is_the_exact_one(top):
    n = 250

    def binary_entropy(p):
        return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))

    k = np.arange(n + 1)
    # The plug-in entropy falls as |k - n/2| grows.
    at_most, at_least = np.abs(2 * k - n) >= 2 * top - n, np.abs(2 * k - n) <= 2 * top - n
    high = brentq(lambda p: binom.pmf(k, n, p)[at_most].sum() - 0.025, 0.5, top / n)
    low = brentq(lambda p: binom.pmf(k, n, p)[at_least].sum() - 0.025, top / n, 1 - 1e-6)
    found = np.array(entropy_interval(np.array([[top, n - top]])))[:, 0]
    exact = np.array([binary_entropy(low), binary_entropy(high)])
    assert found == pytest.approx(exact, abs=0.06 * (exact[1] - exact[0]))


def test_interval_holds_the_estimate_and_grows_with_confidence():
    votes = np.concatenate([random_votes(5, 100, 10, 100), spread(10, 10, 10)])
    w = entropy(votes)
    inner = outer = w, w
    for confidence in (0.5, 0.8, 0.95, 0.99):
        inner, outer = outer, entropy_interval(votes, confidence)
        assert (outer[0] <= inner[0] + 0.004).all()
        assert (outer[1] >= inner[1] - 0.004).all()
        assert (outer[0] <= w).all()
        assert (w <= outer[1]).all()
    assert outer[1][-1] == 1


def test_interval_is_the_same_in_many_threads():
    votes = random_votes(7, 60, 10, 120)
    expected = np.array(entropy_interval(votes))
    intervals._read.cache_clear()
    simulated_votes._vote_table.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: np.array(entropy_interval(votes)), range(8)):
            assert (found == expected).all()


def test_ties_and_tiny_numbers_of_draws_have_intervals():
    for votes in (spread(1, 0, 10), spread(1, 1, 10), spread(0, 5, 3), spread(25, 25, 2), spread(2, 2, 43)):
        low, high = entropy_interval(votes)
        assert 0 <= low[0] < high[0] <= 1
    assert np.array(entropy_interval(np.zeros((0, 10), dtype=int))).shape == (2, 0)


def test_cells_are_the_published_list():
    names = [cell.name for cell in coverage.cells(10)]
    assert names == [
        *("one-hot", "top 0.999", "top 0.99", "top 0.95", "top 0.7", "top 0.5"),
        *("geometric", "half-half", "near-flat", "flat"),
    ]
    for classes in coverage.CLASSES:
        assert all(cell.p.sum() == pytest.approx(1) and len(cell.p) == classes for cell in coverage.cells(classes))
    assert coverage.CLASSES == (2, 10, 43)
    assert coverage.DRAWS == (50, 100, 250, 1000)


def check_coverage(classes, draws, repetitions, slack):
    inner, ends = [], []
    for k in classes:
        for cell in coverage.cells(k):
            for n in draws:
                share = coverage.image_coverage(cell, n, repetitions).share
                (ends if cell.degenerate else inner).append(share)
    assert 0.93 <= np.mean(inner) <= 0.98
    assert min(inner) >= 0.88 - slack
    assert min(ends) >= 0.95 - slack


def test_coverage_of_the_interval_of_one_image():
    check_coverage([10], [100], 300, slack=0.01)
    check_coverage([2, 43], [50], 200, slack=0.02)


@pytest.mark.soak
def test_coverage_on_the_whole_published_list():
    check_coverage(coverage.CLASSES, coverage.DRAWS, 2000, slack=0)


def test_mean_of_one_image_is_that_image():
    votes = random_votes(8, 1, 10, 100)
    low, high = entropy_interval(votes)
    mean = mean_interval_monte_carlo(votes)
    assert mean.value == pytest.approx(entropy(votes)[0])
    assert mean.low <= low[0] + 1e-12
    assert mean.high >= high[0] - 1e-12


def test_mean_combines_images_as_variances_are():
    votes = np.repeat(np.array([[120, 60, 40, 30]]), 16, axis=0)
    one, many = mean_interval_monte_carlo(votes[:1]), mean_interval_monte_carlo(votes)
    assert many.value == pytest.approx(one.value)
    assert (many.high - many.value) == pytest.approx((one.high - one.value) / 4, abs=0.002)
    assert (many.value - many.low) == pytest.approx((one.value - one.low) / 4, abs=0.002)


@pytest.mark.parametrize("kinds", ["most one-hot", "all top 0.7", "all flat"])
def test_coverage_of_the_monte_carlo_mean(kinds):
    assert coverage.set_coverage(coverage.SETS[kinds], 10, 30, 100, 100).share >= 0.92


def test_rare_votes_spread_over_many_classes_do_not_fool_the_monte_carlo_mean():
    # 2.5 of 250 votes fall into 42 classes: each image's W is a little low, and 200 images do not average that out.
    found = coverage.set_coverage(coverage.SETS["all top 0.99"], 43, 200, 250, 40)
    assert found.share >= 0.92
    assert found.width < 0.012


def test_coverage_of_the_sampling_mean_where_t_fails():
    ours, student = coverage.sampling_coverage(coverage.POPULATIONS["97% 0, else 0.6"], 30, 300)
    assert student.share < 0.8
    assert ours.share >= 0.95


def test_sampling_mean_of_zeros_and_ones_is_clopper_pearson():
    found, exact = mean_interval_sampling([1.0] * 3 + [0.0] * 27), binomial_interval(3, 30)
    assert (found.value, found.low, found.high) == pytest.approx((0.1, exact.low, exact.high), abs=1e-7)


def test_the_gap_of_one_pair_adds_reaches():
    # Votes without a rare class: then nothing is hidden, and the gap's ends are those of the two intervals.
    clean, triggered = np.array([[120, 80, 50]]), np.array([[200, 30, 20]])
    gap = gap_interval_monte_carlo(clean, triggered)
    ((low_clean,), (high_clean,)), ((low_with,), (high_with,)) = entropy_interval(clean), entropy_interval(triggered)
    assert gap.low == pytest.approx(low_clean - high_with, abs=1e-3)
    assert gap.high == pytest.approx(high_clean - low_with, abs=1e-3)
    back = gap_interval_monte_carlo(triggered, clean)
    assert (back.value, back.low, back.high) == pytest.approx((-gap.value, -gap.high, -gap.low), abs=1e-12)


@pytest.mark.parametrize("coupling", ["together", "independent", "opposed"])
def test_coverage_of_pairs_whatever_ties_their_draws(coupling):
    cells = {cell.name: cell for cell in coverage.cells(10)}
    for images in (1, 10):
        assert coverage.pair_coverage(cells["top 0.7"], cells["top 0.95"], 250, coupling, images, 100).share >= 0.92


def test_gap_intervals():
    clean, triggered = random_votes(11, 20, 10, 250), np.repeat(spread(250, 0, 10), 20, axis=0)
    gap = gap_interval_monte_carlo(clean, triggered)
    assert gap.low < gap.value < gap.high
    assert gap.value == pytest.approx(entropy(clean).mean())
    same = gap_interval_sampling(np.zeros(8), np.zeros(8))
    # Eight pairs without a gap: nothing but the Clopper-Pearson rule, stretched to [-1, 1].
    assert (same.value, same.low) == pytest.approx((0, -same.high))
    # The extra value at 1 has weight w, and (1 - w)^8 = 2.5%.
    assert same.high == pytest.approx(1 - 0.025 ** (1 / 8), abs=1e-6)


def test_draws_for_width():
    one_hot, wide = spread(64, 0, 10), np.array([[40, 6, 5, 4, 3, 2, 2, 1, 1, 0]])
    votes = np.concatenate([one_hot, wide])
    draws = draws_for_width(votes, 0.05)
    assert draws[0] < draws[1] / 3
    assert (draws_for_width(votes, 0.1) <= draws).all()
    assert (draws_for_width(votes, 0.05, confidence=0.99) >= draws).all()
    assert draws_for_width(votes, 0.001, maximum=500).tolist() == [500, 500]
    assert draws_for_width(votes, 0.9, minimum=40).tolist() == [40, 40]
    assert (draws == [draws_for_width(row[None], 0.05)[0] for row in votes]).all()


def test_adaptive_draws_keep_coverage_and_width():
    found = [coverage.adaptive_coverage(cell, 0.1, 200) for cell in coverage.cells(10)]
    assert min(each.share for each, _, _ in found) >= 0.9
    assert np.mean([each.share for each, _, _ in found]) >= 0.93
    assert np.mean([kept for _, _, kept in found]) >= 0.85


def test_adaptive_draws_save_draws():
    # Nine images in ten are easy: a fixed number must serve the tenth, pilot included.
    cells = {cell.name: cell for cell in coverage.cells(10)}
    p = np.stack([cells["one-hot"].p] * 18 + [cells["top 0.95"].p, cells["top 0.7"].p])
    p = np.repeat(p, 5, axis=0)
    random = np.random.default_rng(0)
    adaptive = 80 + draws_for_width(random.multinomial(80, p), 0.05).mean()
    ladder = [256, 362, 512, 724, 1024, 1448, 2048, 2896]

    def kept(n):
        low, high = entropy_interval(random.multinomial(n, p))
        return (high - low <= 0.05).mean()

    fixed = next(n for n in ladder if kept(n) >= 0.99)
    assert fixed / adaptive >= 1.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: entropy(np.array([1, 2])), "shape"),
        (lambda: entropy(np.array([[3], [4]])), "two classes"),
        (lambda: entropy(np.array([[0.5, 0.5]])), "whole numbers"),
        (lambda: entropy(np.array([[0, 0]])), "one vote"),
        (lambda: entropy(np.array([[-1, 3]])), "below 0"),
        (lambda: entropy(np.array([[1, 3]]), "miller"), "'miller'"),
        (lambda: entropy_interval(np.array([[1, 3]]), 0.999), "0.99"),
        (lambda: entropy_interval(np.array([[1, 99999]])), "65535"),
        (lambda: mean_interval_monte_carlo(np.zeros((0, 3), dtype=int)), "one image"),
        (lambda: mean_interval_sampling([]), "one value"),
        (lambda: mean_interval_sampling([0.5, 1.5]), r"\[0, 1\]"),
        (lambda: gap_interval_monte_carlo(np.array([[1, 3]]), np.array([[1, 3], [2, 2]])), "pairs"),
        (lambda: gap_interval_sampling([0.1], [0.1, 0.2]), "same images"),
        (lambda: draws_for_width(np.array([[1, 3]]), 0), "width"),
        (lambda: draws_for_width(np.array([[1, 3]]), 0.1, minimum=9, maximum=8), "range"),
    ],
)
def test_bad_input_is_told_in_one_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call()
