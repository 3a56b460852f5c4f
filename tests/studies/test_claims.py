"""Verdicts on tables whose truth is known: true, reversed, null and noisy effects; chance errs as seldom as it says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.studies.claims import Outcome, judge, to_json
from core.studies.claims.estimates import holm, mean_estimate, partial_rank_correlation, rank_estimate
from core.studies.claims.verdict import RANK_MARGIN, W_MARGIN, decide
from core.studies.columns import EpochRow, Row

SIGMAS = (0.1, 0.3, 0.5, 1.0)
RATES = (0.001, 0.005, 0.01, 0.05, 0.1)
LABELS = {
    "dataset": "made",
    "architecture": "small-cnn",
    "epochs": 6,
    "size": 2,
    "opacity": 1.0,
    "trigger": "white-corner",
    "mode": "all-to-one",
    "target": 0,
}


def table(effect, *, seeds=8, noise=0.01, kind="patch", shared=0.0, random=None, of_control=-0.03) -> list[Row]:
    """Return a study in which W falls by `effect(asr, sigma)` beyond the control's gap, give or take the noise.

    `shared` is noise that all runs of one seed have in common, `of_control` the control's gap.
    """
    random = random or np.random.default_rng(1)
    rows = []
    for seed in range(seeds):
        common = {**LABELS, "seed": seed, "kind": kind, "noise": "everywhere", "control": f"control{seed}"}
        for sigma in SIGMAS:
            of_seed = random.normal(0, shared) if shared else 0.0
            for number, rate in enumerate(RATES):
                asr = min(1.0, max(0.0, 0.05 + 0.235 * number + random.normal(0, 0.03)))
                control_gap = random.normal(of_control, 0.005)
                beyond = effect(asr, sigma) + of_seed + random.normal(0, noise)
                measured = {"sigma": sigma, "attack_success_rate": asr, "control_gap": control_gap}
                gap = control_gap + beyond
                gaps = {"gap": gap, "gap_low": gap - 0.05, "gap_high": gap + 0.05, "gap_beyond_control": beyond}
                rows.append(Row(run=f"{kind}{seed}-{number}", rate=rate, **common, **measured, **gaps))
            control = {"gap": -0.03, "gap_low": -0.05, "gap_high": 0.0, "control_gap": -0.03, "gap_beyond_control": 0.0}
            control |= {"attack_success_rate": 0.01}
            meaning = {"entropy_correlation": 0.9, "misclassified_auc": 0.8 if seed else None}
            rows.append(Row(run=f"control{seed}", rate=0.0, **common, sigma=sigma, **control, **meaning))
    return rows


def verdicts(rows, claim, part):
    return {one.sigma: one for one in judge(rows)[claim] if one.part == part}


@pytest.mark.parametrize(
    ("effect", "noise", "expected"),
    [
        (lambda asr, sigma: 0.2, 0.01, Outcome.SUPPORTED),
        (lambda asr, sigma: -0.2, 0.01, Outcome.REVERSED),
        (lambda asr, sigma: 0.0, 0.003, Outcome.NOT_SUPPORTED),
        (lambda asr, sigma: 0.01, 0.3, Outcome.UNDECIDED),
    ],
    ids=["true", "reversed", "null", "noisy"],
)
def test_c1_finds_what_was_put_in(effect, noise, expected):
    found = verdicts(table(effect, noise=noise), "C1", "ASR > 0.5")
    assert {sigma: one.verdict for sigma, one in found.items()} == dict.fromkeys(SIGMAS, expected)
    assert all(one.low <= one.statistic <= one.high and one.seeds == 8 for one in found.values())


@pytest.mark.parametrize(
    ("effect", "noise", "expected"),
    [
        (lambda asr, sigma: 0.3 * asr, 0.01, Outcome.SUPPORTED),
        (lambda asr, sigma: -0.3 * asr, 0.01, Outcome.REVERSED),
        (lambda asr, sigma: 0.1, 0.5, Outcome.NOT_SUPPORTED),
        (lambda asr, sigma: 0.03 * asr, 0.1, Outcome.UNDECIDED),
    ],
    ids=["true", "reversed", "null", "noisy"],
)
def test_c3_finds_what_was_put_in(effect, noise, expected):
    # That there is no order at all takes many seeds to show; the others are plain with eight.
    seeds = 60 if expected is Outcome.NOT_SUPPORTED else 8
    found = verdicts(table(effect, noise=noise, seeds=seeds), "C3", "all rates")
    assert {one.verdict for one in found.values()} == {expected}


def test_the_statistic_of_c1_is_the_mean_difference_in_differences_of_successful_runs():
    rows = table(lambda asr, sigma: sigma)
    found = verdicts(rows, "C1", "ASR > 0.5")
    works = [rate for rate in RATES if np.mean([row.attack_success_rate for row in rows if row.rate == rate]) > 0.5]
    for sigma in SIGMAS:
        chosen = [row for row in rows if row.rate in works and row.sigma == sigma]
        by_seed = [np.mean([r.gap - r.control_gap for r in chosen if r.seed == seed]) for seed in range(8)]
        assert found[sigma].statistic == pytest.approx(np.mean(by_seed))
        assert found[sigma].unadjusted == pytest.approx(np.mean([row.gap for row in chosen]))
        assert found[sigma].runs == tuple(sorted({row.run for row in chosen}))


def test_a_control_with_the_same_gap_takes_the_effect_away():
    rows = table(lambda asr, sigma: 0.0, noise=0.003)
    shifted = [Row(**vars(row) | {"gap": row.gap + 0.5, "control_gap": row.control_gap + 0.5}) for row in rows]
    found = verdicts(shifted, "C1", "ASR > 0.5")
    assert {one.verdict for one in found.values()} == {Outcome.NOT_SUPPORTED}
    assert all(one.unadjusted > 0.4 for one in found.values())


@pytest.mark.parametrize(("beyond", "of_control"), [(0.1, -0.15), (-0.1, 0.15)], ids=["less rough", "less smooth"])
def test_a_direction_against_the_control_alone_is_none(beyond, of_control):
    """A run that the trigger makes less rough than its control, but rougher all the same, is no smoother with it."""
    found = verdicts(table(lambda asr, sigma: beyond, noise=0.003, of_control=of_control), "C1", "ASR > 0.5")
    assert {one.verdict for one in found.values()} == {Outcome.NOT_SUPPORTED}
    assert all("the gap itself" in one.reason and one.p < 0.001 for one in found.values())


def test_c1_takes_whole_attacks_so_that_every_seed_brings_the_same_rates():
    """An attack that works in some of its runs is judged with all of them, on the side of its mean."""
    rows = table(lambda asr, sigma: 0.1)
    for part in ("ASR > 0.5", "ASR <= 0.5"):
        for one in verdicts(rows, "C1", part).values():
            rates = [{row.rate for row in rows if row.run in one.runs and row.seed == seed} for seed in range(8)]
            assert all(of_seed == rates[0] for of_seed in rates)
    middle = [row.attack_success_rate > 0.5 for row in rows if row.rate == RATES[2]]
    assert {True, False} == set(middle)  # so that the test can fail


def test_c3_is_not_taken_in_by_stronger_triggers_that_disturb_any_model_more():
    rows = []
    for opacity, disturbs in ((0.1, -0.02), (0.2, -0.1), (0.4, -0.2), (0.8, -0.35)):
        for row in table(lambda asr, sigma: 0.0, of_control=disturbs, random=np.random.default_rng(int(10 * opacity))):
            asr = min(1.0, row.attack_success_rate * 0.4 + opacity / 2)
            rows.append(
                Row(**vars(row) | {"opacity": opacity, "run": f"{row.run}-{opacity}", "attack_success_rate": asr})
            )
    found = verdicts(rows, "C3", "all rates")
    assert all(one.verdict in (Outcome.UNDECIDED, Outcome.NOT_SUPPORTED) for one in found.values())
    assert all(abs(one.statistic) < 0.3 for one in found.values())


def test_fewer_than_five_seeds_decide_nothing_however_plain_the_effect():
    judged = judge(table(lambda asr, sigma: 0.5 * asr, seeds=4))
    assert {one.verdict for claim in ("C1", "C3") for one in judged[claim]} == {Outcome.UNDECIDED}
    assert "4 seeds" in judged["C1"][0].reason
    enough = verdicts(table(lambda asr, sigma: 0.5 * asr, seeds=5), "C1", "ASR > 0.5")
    assert {one.verdict for one in enough.values()} == {Outcome.SUPPORTED}


def test_kinds_are_never_pooled():
    rows = table(lambda asr, sigma: 0.3 * asr) + table(lambda asr, sigma: -0.3 * asr, kind="blend")
    found = {(one.kind, one.verdict) for one in judge(rows)["C1"] if one.part == "ASR > 0.5"}
    assert found == {("patch", Outcome.SUPPORTED), ("blend", Outcome.REVERSED)}


def test_c3_keeps_successful_attacks_apart_from_the_others():
    # The gap follows ASR only once most images are flipped.
    rows = table(lambda asr, sigma: max(0.0, asr - 0.5), noise=0.005)
    judged = judge(rows)["C3"]
    high = [one.statistic for one in judged if one.part == "ASR > 0.5"]
    low = [one for one in judged if one.part == "ASR <= 0.5"]
    assert min(high) > 0.7
    assert all(one.verdict is not Outcome.SUPPORTED for one in low)
    counted = [row.run for row in rows if row.rate > 0 and row.attack_success_rate <= 0.5 and row.sigma == SIGMAS[0]]
    assert low[0].runs == tuple(sorted(counted))


def test_one_seed_repeated_is_no_new_evidence():
    """Many runs that share their seed's luck must not look like many independent ones."""
    once = table(lambda asr, sigma: 0.0, noise=0.001, shared=0.1, seeds=6)
    found = verdicts(once, "C1", "ASR > 0.5")
    spread = np.std([np.mean([r.gap_beyond_control for r in once if r.seed == s and r.sigma == 0.5]) for s in range(6)])
    assert found[0.5].high - found[0.5].low > 1.5 * spread


def test_without_any_effect_a_direction_is_claimed_as_seldom_as_the_level_says():
    random = np.random.default_rng(5)
    tables, wrong = 40, {"C1": 0, "C3": 0}
    for _ in range(tables):
        judged = judge(table(lambda asr, sigma: 0.0, noise=0.05, shared=0.03, random=random))
        for claim in wrong:
            part = {"C1": "ASR > 0.5", "C3": "all rates"}[claim]
            chosen = [one for one in judged[claim] if one.part == part]
            wrong[claim] += any(one.verdict in (Outcome.SUPPORTED, Outcome.REVERSED) for one in chosen)
    # Holm keeps the chance of any false direction over the sigmas of a group at 5 %: 2 of 40, and 7 once in a thousand.
    assert max(wrong.values()) <= 7


def test_holm_against_the_published_rule_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert holm([]) == []


def test_a_mean_is_estimated_as_by_students_t():
    from scipy.stats import ttest_1samp

    values = np.random.default_rng(2).normal(0.03, 0.05, 9)
    found = mean_estimate(values, W_MARGIN)
    expected = ttest_1samp(values, 0)
    low, high = expected.confidence_interval(0.95)
    assert (found.value, found.low, found.high, found.p) == pytest.approx((values.mean(), low, high, expected.pvalue))
    above, below = (
        ttest_1samp(values, side * W_MARGIN, alternative=way) for side, way in ((1, "less"), (-1, "greater"))
    )
    assert found.p_equivalent == pytest.approx(max(above.pvalue, below.pvalue))


@pytest.mark.parametrize(("value", "outcome"), [(0.0, Outcome.NOT_SUPPORTED), (0.5, Outcome.SUPPORTED)])
def test_seeds_that_agree_to_the_last_digit_are_judged_too(value, outcome):
    assert decide(mean_estimate([value] * 6, W_MARGIN), 6, W_MARGIN)[0] is outcome


def test_a_rank_correlation_is_spearmans_and_needs_both_to_vary():
    from scipy.stats import spearmanr

    random = np.random.default_rng(3)
    x, seeds = random.random(40), np.repeat(np.arange(8), 5)
    y = x + random.normal(0, 0.5, 40)
    found = rank_estimate(x, y, seeds, RANK_MARGIN)
    assert found.value == pytest.approx(spearmanr(x, y).statistic)
    assert -1 <= found.low < found.value < found.high <= 1
    assert rank_estimate(np.ones(40), y, seeds, RANK_MARGIN) is None
    assert rank_estimate(x[:3], y[:3], seeds[:3], RANK_MARGIN) is None


def test_few_runs_in_perfect_order_keep_an_interval():
    x, seeds = np.arange(8.0), np.arange(8)
    found = rank_estimate(x, x, seeds, RANK_MARGIN)
    assert found.low < found.value < found.high
    assert 0 < found.p < 0.05
    swapped = rank_estimate(x, x[[1, 0, 2, 3, 4, 5, 6, 7]], seeds, RANK_MARGIN)
    assert swapped.low < swapped.value < swapped.high
    assert rank_estimate(x[:7], x[:7], seeds[:7], RANK_MARGIN) is None


def test_seeds_that_all_order_their_runs_alike_keep_an_interval():
    x = np.tile(np.arange(5.0), 5)
    y, seeds = np.tile([0.0, 1.0, 3.0, 2.0, 4.0], 5), np.repeat(np.arange(5), 5)
    found = rank_estimate(x, y, seeds, RANK_MARGIN)
    assert found.value == pytest.approx(0.9)
    assert found.low < 0.85
    assert found.high > 0.92
    assert 0 < found.p < 0.01


def test_c3_does_not_rest_on_one_attack():
    """A gap that one rate alone has, whatever its success, orders nothing among the others."""
    jump = table(lambda asr, sigma: 0.3 * (asr < 0.15) + 0.01 * asr, noise=0.02)
    found = verdicts(jump, "C3", "all rates").values()
    assert {one.verdict for one in found} == {Outcome.UNDECIDED}
    turned = [one for one in found if one.p < 0.05]
    assert len(turned) >= 3
    assert all(one.statistic < -0.3 and "the order disappears" in one.reason for one in turned)


@pytest.mark.parametrize(("seeds", "runs"), [(8, 1), (5, 2), (5, 5)])
def test_rank_correlations_of_nothing_are_seldom_taken_for_one(seeds, runs):
    random, tables = np.random.default_rng(0), 400
    names = np.repeat(np.arange(seeds), runs)
    found = [rank_estimate(*random.normal(size=(2, len(names))), names, RANK_MARGIN) for _ in range(tables)]
    # 5 % would be 20; 38 come once in ten thousand such tests.
    assert sum(one.p < 0.05 for one in found) <= 38
    assert all(one.p > 0 for one in found)


def test_a_partial_rank_correlation_is_that_of_what_the_ranks_do_not_share_with_a_third():
    from scipy.stats import rankdata

    random = np.random.default_rng(9)
    given = random.permutation(30).astype(float)
    x, y = given + random.normal(0, 9, 30), given + random.normal(0, 9, 30)
    ranks = [rankdata(values) for values in (x, y)]
    left = [values - np.polyval(np.polyfit(rankdata(given), values, 1), rankdata(given)) for values in ranks]
    assert partial_rank_correlation(x, y, given) == pytest.approx(np.corrcoef(*left)[0, 1])
    assert partial_rank_correlation(given, y, given) is None


def course(slope, seeds=6, epochs=12, drift=0.0) -> list[EpochRow]:
    random = np.random.default_rng(4)
    labels = LABELS | {"kind": "patch", "rate": 0.1, "sigma": 0.5, "images": 48, "draws": 64, "clean_accuracy": 0.9}
    rows = []
    for seed in range(seeds):
        for epoch in range(1, epochs + 1):
            asr = min(1.0, max(0.0, 0.5 * epoch / epochs + 0.5 * random.random()))
            gap = slope * asr + drift * epoch + random.normal(0, 0.005)
            names = {"run": f"run{seed}", "control": f"control{seed}", "seed": seed, "epoch": epoch}
            rates = {"attack_success_rate": asr, "w_clean": 0.5, "w_triggered": 0.5 - gap, "gap": gap}
            rows.append(EpochRow(**labels, **names, **rates))
    return rows


@pytest.mark.parametrize(("slope", "outcome"), [(0.3, Outcome.SUPPORTED), (-0.3, Outcome.REVERSED)])
def test_c3_along_the_epochs_of_each_training(slope, outcome):
    (found,) = (one for one in judge([], course(slope))["C3"] if one.part == "along the epochs")
    assert found.verdict is outcome
    assert abs(found.statistic) > 0.8
    assert found.seeds == 6
    assert judge([], course(slope, seeds=4))["C3"][0].verdict is Outcome.UNDECIDED


def test_correlations_along_the_epochs_are_averaged_on_fishers_scale():
    (found,) = judge([], course(0.05))["C3"]
    assert -1 < found.low < found.statistic < found.high < 1
    from scipy.stats import spearmanr

    runs = [[row for row in course(0.05) if row.seed == seed] for seed in range(6)]
    columns = [np.array([(row.attack_success_rate, row.gap, row.epoch) for row in run]).T for run in runs]
    partial = [partial_rank_correlation(*each) for each in columns]
    assert found.statistic == pytest.approx(np.tanh(np.mean(np.arctanh(np.clip(partial, -23 / 24, 23 / 24)))))
    assert found.unadjusted == pytest.approx(np.mean([spearmanr(*each[:2]).statistic for each in columns]))


def test_what_only_drifts_along_with_the_epochs_is_no_order():
    random = judge([], course(0.0, seeds=8, drift=0.003))["C3"][0]
    assert random.verdict in (Outcome.UNDECIDED, Outcome.NOT_SUPPORTED)
    assert abs(random.statistic) < 0.3


def test_trainings_whose_success_hardly_moves_tell_nothing():
    still = [
        EpochRow(**vars(row) | {"attack_success_rate": 0.9 + 0.1 * row.attack_success_rate}) for row in course(0.3)
    ]
    assert judge([], still)["C3"][0].statistic is None


def test_failed_cells_are_left_out_and_verdicts_are_json():
    rows = table(lambda asr, sigma: 0.2)
    failure = Row(**{**LABELS, "run": "x", "control": "y", "seed": 99, "kind": "patch", "rate": 0.1}, failure="no")
    judged = judge([*rows, failure], course(0.3))
    assert judged["C1"] == judge(rows)["C1"]
    content = json.loads(json.dumps(to_json(judged)))
    assert set(content) == {"C1", "C2", "C3"}
    assert content["C1"][0]["verdict"] in set(Outcome)


@pytest.mark.parametrize(
    ("gap", "of_random", "verdict"),
    [
        (0.2, 0.0, Outcome.SUPPORTED),
        (0.2, 0.2, Outcome.NOT_SUPPORTED),
        (-0.3, -0.1, Outcome.REVERSED),
        (-0.1, -0.3, Outcome.NOT_SUPPORTED),
        (0.0, -0.3, Outcome.NOT_SUPPORTED),
    ],
    ids=["smooths", "as a random one does", "rougher than a random one", "less rough than a random one", "nothing"],
)
def test_c4_needs_a_pattern_to_smooth_by_itself_and_more_than_a_random_one(gap, of_random, verdict):
    random = np.random.default_rng(7)
    labels = {**LABELS, "kind": "crafted-smooth", "mode": "pattern", "rate": 0.0, "noise": "everywhere"}
    rows = []
    for seed in range(8):
        names = {"run": f"clean{seed}", "control": f"clean{seed}", "seed": seed}
        for sigma in SIGMAS:
            found, beside = gap + random.normal(0, 0.005), of_random + random.normal(0, 0.005)
            numbers = {"gap": found, "control_gap": beside, "gap_beyond_control": found - beside}
            rows.append(Row(**labels, **names, sigma=sigma, **numbers))
    judged = judge(rows)
    assert {one.verdict for one in judged["C4"]} == {verdict}
    assert [one.statistic for one in judged["C4"]] == pytest.approx([gap - of_random] * len(SIGMAS), abs=0.01)
    assert [one.unadjusted for one in judged["C4"]] == pytest.approx([gap] * len(SIGMAS), abs=0.01)
    assert judged["C1"] == judged["C3"] == judged["C2"] == []
    assert "C4" not in judge(table(lambda asr, sigma: 0.2))


def test_c4_never_pools_what_patterns_were_allowed_or_made_for():
    random = np.random.default_rng(8)
    labels = {**LABELS, "kind": "crafted-smooth", "mode": "pattern", "rate": 0.0, "noise": "everywhere", "sigma": 0.5}
    rows = []
    for bound, made_for, gap in ((0.3, 0.5, 0.2), (0.05, 0.5, -0.2), (0.3, 0.1, 0.0)):
        for seed in range(8):
            names = {
                "run": f"clean{seed}",
                "control": f"clean{seed}",
                "seed": seed,
                "bound": bound,
                "made_for": made_for,
            }
            found = gap + random.normal(0, 0.003)
            rows.append(Row(**labels, **names, gap=found, control_gap=0.0, gap_beyond_control=found))
    found = {one.part: one.verdict for one in judge(rows)["C4"]}
    assert found == {
        "clean models, bound 0.3, made for σ = 0.5": Outcome.SUPPORTED,
        "clean models, bound 0.05, made for σ = 0.5": Outcome.REVERSED,
        "clean models, bound 0.3, made for σ = 0.1": Outcome.NOT_SUPPORTED,
    }


def test_c2_says_what_w_measured_on_the_controls_and_gives_no_verdict():
    meanings = judge(table(lambda asr, sigma: 0.2))["C2"]
    assert [one.sigma for one in meanings] == list(SIGMAS)
    assert meanings[0].entropy_correlation == pytest.approx(0.9)
    assert meanings[0].misclassified_auc == pytest.approx(0.8)
    assert meanings[0].runs == 8
