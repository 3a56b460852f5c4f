"""The paper's claims, judged on a study's table: supported, reversed, not supported or undecided.

The rules are explained in docs/claims.md. In short: the run is the unit, never the image; runs of one seed share their
control and count as one observation; data sets, architectures, kinds of triggers and everything else are never
pooled; p values are corrected over the sigmas by Holm; fewer than five seeds decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import Any

import numpy as np

from core.tables import PATTERN, EpochRow, Row

LEVEL = 0.05
FEWEST_SEEDS = 5
# An attack counts as successful if most images outside the target class are taken for the target.
SUCCESS = 0.5
# Smaller effects are as good as none: a fiftieth of the scale of W, and a rank correlation of 0.3.
W_MARGIN, RANK_MARGIN = 0.02, 0.3
# A rank correlation over fewer runs has no interval that holds.
FEWEST_RUNS = 8
# Along the epochs only trainings count that have so many, and in which attack success moves by this much.
FEWEST_EPOCHS, LEAST_RISE = 4, 0.3


class Outcome(StrEnum):
    """What the runs say about a claim."""

    SUPPORTED = "supported"
    REVERSED = "reversed"
    NOT_SUPPORTED = "not supported"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Verdict:
    """One claim judged on one group of runs at one sigma.

    Attributes
    ----------
    claim
        "C1", "C3" or "C4".
    dataset, architecture, kind, mode, target, epochs, noise, sigma
        The group: none of these is ever pooled.
    part
        Which runs of the group: "ASR > 0.5", "ASR <= 0.5", "all rates", "along the epochs"; of C4 "clean
        models".
    verdict, reason
        The verdict, and why in words.
    statistic, low, high
        C1: mean difference in differences in units of W. C3: rank correlation of the gap beyond the control's with
        ASR; along the epochs that of the gap with ASR, given the epoch. C4: mean gap of a pattern on clean models.
        With its 95 % interval for more trainings, on the same images and noise, and not corrected for the number of
        sigmas. None where there are too few runs.
    p, p_equivalent
        That the true value is 0, and that it lies beyond the margin; both corrected by Holm over the sigmas.
    raw_gap
        Mean gap without the control taken off.
    seeds, runs
        How many seeds, and the names of the runs behind it.
    """

    claim: str
    dataset: str
    architecture: str
    kind: str
    mode: str
    target: int | None
    epochs: int
    noise: str
    sigma: float
    part: str
    verdict: Outcome
    reason: str
    statistic: float | None
    low: float | None
    high: float | None
    p: float | None
    p_equivalent: float | None
    raw_gap: float | None
    seeds: int
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Meaning:
    """What W measured on one group's clean images (C2 is a definition, so there is no verdict).

    Attributes
    ----------
    entropy_correlation
        Mean over the runs of the rank correlation of W with the entropy of the softmax without noise.
    misclassified_auc
        Mean over the runs of the AUC with which W tells misclassified images; None if no run misclassified any.
    """

    dataset: str
    architecture: str
    epochs: int
    sigma: float
    entropy_correlation: float | None
    misclassified_auc: float | None
    runs: int


@dataclass(frozen=True)
class Estimate:
    """A value with its interval and two tests: that it is 0, and that it lies beyond a margin (two one-sided tests)."""

    value: float
    low: float
    high: float
    p: float
    p_equivalent: float


SENTENCES = {
    "C1": "Backdoored models are smoother around images with the trigger than around the same images without it.",
    "C2": "W measures how uncertain the predictions around an image are.",
    "C3": "The more successful the attack, the smoother the trigger makes the model.",
    "C4": "Other artificial patterns make a model smooth too.",
}


_DIRECTIONS = (Outcome.SUPPORTED, Outcome.REVERSED)
MARKS = {Outcome.SUPPORTED: "▲", Outcome.REVERSED: "▼", Outcome.NOT_SUPPORTED: "=", Outcome.UNDECIDED: "?"}


def as_markdown(verdicts: Sequence[Verdict]) -> str:
    """Return one claim's verdicts on one group as a Markdown table: a row for each kind and part, a column a sigma."""
    sigmas = sorted({one.sigma for one in verdicts})
    lines = ["| trigger | " + " | ".join(f"σ {sigma:g}" for sigma in sigmas) + " |", "| --- |" + " --- |" * len(sigmas)]
    for kind, part in dict.fromkeys((one.kind, one.part) for one in verdicts):
        found = {one.sigma: one for one in verdicts if (one.kind, one.part) == (kind, part)}
        cells = [_markdown_cell(found.get(sigma)) for sigma in sigmas]
        lines.append(f"| {kind}, {part.replace('<=', '≤')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _markdown_cell(one: Verdict | None) -> str:
    if one is None or one.statistic is None:
        return ""
    text = f"{MARKS[one.verdict]} {one.statistic:+.2f}"
    return f"**{text}**" if one.verdict in _DIRECTIONS else text


def judge(rows: Sequence[Row], epochs: Sequence[EpochRow] = ()) -> dict[str, list[Verdict] | list[Meaning]]:
    """Return the verdicts of a study, keyed "C1" and "C3", "C4" where patterns were measured, and "C2"'s numbers.

    Parameters
    ----------
    rows
        Its table, see `core.tables.Row`; rows of cells that failed are left out.
    epochs
        Its table along the epochs.
    """
    measured = [row for row in rows if row.gap is not None]
    attacks = [row for row in measured if row.rate > 0]
    patterns = [row for row in measured if row.mode == PATTERN]
    judged = {
        "C1": list(_by_group(attacks, _judge_c1)),
        "C2": list(_meanings(measured)),
        "C3": [*_by_group(attacks, _judge_c3), *_along_epochs(epochs)],
    }
    return judged | ({"C4": list(_by_group(patterns, _judge_c4))} if patterns else {})


def to_json(judged: dict[str, list[Verdict] | list[Meaning]]) -> dict[str, list[dict[str, Any]]]:
    """Return the verdicts as JSON content."""
    return {claim: [asdict(verdict) for verdict in verdicts] for claim, verdicts in judged.items()}


def mean_estimate(values: Sequence[float], margin: float) -> Estimate | None:
    """Estimate a mean from one value a seed by Student's t; None below two seeds.

    Parameters
    ----------
    values
        One independent value for each seed.
    margin
        Means within plus and minus this count as none.
    """
    x = np.asarray(values, np.float64)
    if len(x) < 2:
        return None
    return _estimate(float(x.mean()), float(x.std(ddof=1) / np.sqrt(len(x))), len(x) - 1, margin, lambda value: value)


def rank_estimate(x: Sequence[float], y: Sequence[float], seeds: Sequence[int], margin: float) -> Estimate | None:
    """Estimate Spearman's rank correlation over runs, with seeds as the independent units.

    Runs of one seed share their control and their initial weights, so the usual p value, which takes all runs for
    independent, does not hold. The interval is a jackknife's that leaves out one seed at a time, on Fisher's scale
    (the inverse hyperbolic tangent). Where runs are ordered so well that leaving a seed out changes nothing, its
    standard error is at least that of as many independent runs, 1.03 / sqrt(n - 3).

    Parameters
    ----------
    x, y, seeds
        Two values and the seed of each run.
    margin
        Correlations within plus and minus this count as none.

    Returns
    -------
    Estimate or None
        None if there are fewer than `FEWEST_RUNS` runs or two seeds, or if either value is the same for all runs,
        whichever seed is left out.
    """
    x, y, seeds = np.asarray(x, np.float64), np.asarray(y, np.float64), np.asarray(seeds)
    units = np.unique(seeds)
    if len(units) < 2 or len(x) < FEWEST_RUNS:
        return None
    # Half a step below 1: a perfect order of n runs is compatible with nearly perfect ones.
    most = 1 - 1 / (2 * len(x))
    whole = _fisher(x, y, most)
    left_out = [_fisher(x[seeds != unit], y[seeds != unit], most) for unit in units]
    if whole is None or None in left_out:
        return None
    n = len(units)
    error = float(np.sqrt((n - 1) / n * np.sum((np.array(left_out) - np.mean(left_out)) ** 2)))
    if np.abs(left_out).max() >= np.arctanh(most):
        error = max(error, 1.03 / float(np.sqrt(len(x) - 3)))
    return _estimate(whole, error, n - 1, float(np.arctanh(margin)), np.tanh)


def _fisher(x: np.ndarray, y: np.ndarray, most: float) -> float | None:
    """Return the rank correlation on Fisher's scale, cut off at `most`; None if either does not vary."""
    if len(x) < 3 or (x == x[0]).all() or (y == y[0]).all():
        return None
    from scipy.stats import spearmanr

    return float(np.arctanh(np.clip(float(spearmanr(x, y).statistic), -most, most)))


def _estimate(value: float, error: float, freedom: int, margin: float, back: Callable[[float], float]) -> Estimate:
    """Return value, interval and both tests from a standard error; `back` leads to the scale that people read."""
    if error <= 1e-12:  # all seeds agree to the last digit
        return Estimate(*(float(back(value)),) * 3, float(abs(value) <= 1e-12), float(abs(value) >= margin))
    from scipy.special import stdtr, stdtrit

    reach = float(stdtrit(freedom, 1 - LEVEL / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(value) / error))
    p_equivalent = max(float(stdtr(freedom, (side * value - margin) / error)) for side in (1, -1))
    low, high = float(back(value - reach)), float(back(value + reach))
    return Estimate(float(back(value)), low, high, p, p_equivalent)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p values corrected by Holm's step-down rule; None stays None and counts for nothing.

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, place) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * p))
        corrected[place] = least
    return corrected


def decide(estimate: Estimate | None, seeds: int, margin: float) -> tuple[Outcome, str]:
    """Return the verdict on one estimate, whose p values are corrected already, and the reason in words."""
    if seeds < FEWEST_SEEDS:
        return Outcome.UNDECIDED, f"{seeds} seeds, and a verdict needs {FEWEST_SEEDS}"
    if estimate is None:
        return Outcome.UNDECIDED, "the runs do not differ enough to tell an order"
    if estimate.p_equivalent < LEVEL:
        return Outcome.NOT_SUPPORTED, f"the effect is smaller than {margin:g} either way"
    if estimate.p < LEVEL and estimate.value > 0:
        return Outcome.SUPPORTED, "the effect has the claimed direction in more than chance would give"
    if estimate.p < LEVEL:
        return Outcome.REVERSED, "the effect has the opposite direction in more than chance would give"
    return Outcome.UNDECIDED, "the seeds differ too much to tell an effect from none"


def _group_key(row: Row | EpochRow) -> tuple[Any, ...]:
    target = -1 if row.target is None else row.target
    return row.dataset, row.architecture, row.kind, row.mode, target, row.epochs, getattr(row, "noise", "")


def _by_group(rows: Iterable[Row], judge_one: Callable[[list[Row]], Iterator[Verdict]]) -> Iterator[Verdict]:
    for _, group in groupby(sorted(rows, key=_group_key), _group_key):
        yield from judge_one(list(group))


def _judge_c1(rows: list[Row]) -> Iterator[Verdict]:
    """Judge "smoother around triggered samples than around the same samples without the trigger" on one group.

    The gap and what it is beyond the control's must both have the direction.
    """
    works = _attacks_that_work(rows)
    for part in ("ASR > 0.5", "ASR <= 0.5"):
        mine = [
            row
            for row in rows
            if row.gap_beyond_control is not None and (_attack(row) in works) == (part == "ASR > 0.5")
        ]
        beyond = _judge_gap("C1", part, rows, mine, lambda row: row.gap_beyond_control)
        raw = _judge_gap("C1", part, rows, mine, lambda row: row.gap)
        yield from _where_both(beyond, raw, "the gap itself, without the control taken off,", _DIRECTIONS)


def _judge_c4(rows: list[Row]) -> Iterator[Verdict]:
    """Judge "other artificial patterns smooth too" on one kind of pattern: by more than a random one of equal norm."""
    part = "clean models"
    raw = _judge_gap("C4", part, rows, rows, lambda row: row.gap)
    beyond = _judge_gap("C4", part, rows, rows, lambda row: row.gap_beyond_control)
    # One that makes models rougher is no less the opposite if random ones do so even more.
    yield from _where_both(raw, beyond, "the gap beyond that of random patterns of equal norm", (Outcome.SUPPORTED,))


def _where_both(
    found: Iterable[Verdict], other: Iterable[Verdict], name: str, directions: Sequence[Outcome]
) -> Iterator[Verdict]:
    """Keep these directions only where another number of the same runs, called `name`, has them too."""
    for one, second in zip(found, other, strict=True):
        if one.verdict not in directions or second.verdict is one.verdict:
            yield one
        elif second.verdict is Outcome.UNDECIDED:
            yield replace(one, verdict=Outcome.UNDECIDED, reason=f"{name} does not tell a direction")
        else:
            yield replace(one, verdict=Outcome.NOT_SUPPORTED, reason=f"{name} does not have this direction")


def _attack(row: Row) -> tuple[Any, ...]:
    """Return what the runs of several seeds have in common within a group."""
    return row.size, row.opacity, row.rate


def _attacks_that_work(rows: Iterable[Row]) -> set[tuple[Any, ...]]:
    """Return the attacks that reach more than half of the images on average over the seeds.

    Whole attacks, not single runs: else every seed would bring another mixture of rates.
    """
    rates: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in rows:
        if row.attack_success_rate is not None:
            rates.setdefault(_attack(row), {})[row.run] = row.attack_success_rate
    return {attack for attack, runs in rates.items() if np.mean(list(runs.values())) > SUCCESS}


def _judge_gap(
    claim: str, part: str, rows: list[Row], mine: list[Row], gap: Callable[[Row], float]
) -> Iterator[Verdict]:
    """Judge the mean of a gap over some of a group's runs at each sigma."""
    verdicts = []
    for sigma in sorted({row.sigma for row in rows}):
        chosen = [row for row in mine if row.sigma == sigma]
        estimate = mean_estimate(_a_value_each_seed(chosen, gap), W_MARGIN)
        verdicts.append(_verdict(claim, chosen or rows, sigma, part, estimate, chosen))
    yield from _decided(verdicts, W_MARGIN)


def _judge_c3(rows: list[Row]) -> Iterator[Verdict]:
    """Judge "more so for more successful attacks" on one group: over all rates, and within either range of ASR.

    The control's gap is taken off: a stronger trigger succeeds more and also disturbs any model more.
    """
    rows = [row for row in rows if row.gap_beyond_control is not None]
    parts = {
        "all rates": rows,
        "ASR > 0.5": [row for row in rows if _succeeds(row)],
        "ASR <= 0.5": [row for row in rows if not _succeeds(row)],
    }
    for part, mine in parts.items():
        verdicts = []
        for sigma in sorted({row.sigma for row in rows}):
            chosen = [row for row in mine if row.sigma == sigma]
            asr, gap = [row.attack_success_rate for row in chosen], [row.gap_beyond_control for row in chosen]
            estimate = rank_estimate(asr, gap, [row.seed for row in chosen], RANK_MARGIN)
            verdicts.append(_verdict("C3", chosen or rows, sigma, part, estimate, chosen))
        yield from _decided(verdicts, RANK_MARGIN)


def _along_epochs(rows: Sequence[EpochRow]) -> Iterator[Verdict]:
    """Judge C3 along the epochs: each training's own partial rank correlation of gap and ASR, averaged over the seeds.

    Given the epoch, because ASR and W both drift while any model is trained.
    """
    for _, group in groupby(sorted(rows, key=_group_key), _group_key):
        chosen = list(group)
        correlations = dict(_course_correlations(chosen))
        kept = [row for row in chosen if row.run in correlations and row.epoch == row.epochs]
        values = _a_value_each_seed(kept, lambda row, of=correlations: of[row.run])
        estimate = mean_estimate(values, RANK_MARGIN)
        verdict = _verdict("C3", kept or chosen, chosen[0].sigma, "along the epochs", estimate, kept)
        yield from _decided([verdict], RANK_MARGIN)


def _course_correlations(rows: Sequence[EpochRow]) -> Iterator[tuple[str, float]]:
    """Yield each training's name and its rank correlation of gap with ASR given the epoch.

    Trainings that are short drop, and those whose ASR hardly moves or rises with every epoch: they tell nothing apart.
    """
    for run, course in groupby(sorted(rows, key=lambda row: (row.run, row.epoch)), lambda row: row.run):
        epoch, asr, gap = np.array([(row.epoch, row.attack_success_rate, row.gap) for row in course]).T
        if len(asr) >= FEWEST_EPOCHS and np.ptp(asr) >= LEAST_RISE and (gap != gap[0]).any():
            correlation = partial_rank_correlation(asr, gap, epoch)
            if correlation is not None:
                yield run, correlation


def partial_rank_correlation(x: np.ndarray, y: np.ndarray, given: np.ndarray) -> float | None:
    """Return Spearman's correlation of x and y given a third variable; None where that decides x or y already."""
    from scipy.stats import spearmanr

    xy, xz, yz = (float(spearmanr(a, b).statistic) for a, b in ((x, y), (x, given), (y, given)))
    left = (1 - xz**2) * (1 - yz**2)
    return (xy - xz * yz) / float(np.sqrt(left)) if left > 1e-9 else None


def _succeeds(row: Row) -> bool:
    return row.attack_success_rate is not None and row.attack_success_rate > SUCCESS


def _a_value_each_seed(rows: Sequence[Any], value: Callable[[Any], float]) -> list[float]:
    """Return the mean of the runs of each seed: they share their control, so they are one observation."""
    by_seed: dict[int, list[float]] = {}
    for row in rows:
        by_seed.setdefault(row.seed, []).append(value(row))
    return [float(np.mean(values)) for _, values in sorted(by_seed.items())]


def _verdict(
    claim: str,
    alike: Sequence[Row] | Sequence[EpochRow],
    sigma: float,
    part: str,
    estimate: Estimate | None,
    chosen: Sequence[Row] | Sequence[EpochRow],
) -> Verdict:
    """Return a verdict that is still to be decided, on the group that `alike` belongs to."""
    one = alike[0]
    values = (
        (estimate.value, estimate.low, estimate.high, estimate.p, estimate.p_equivalent) if estimate else (None,) * 5
    )
    return Verdict(
        claim,
        one.dataset,
        one.architecture,
        one.kind,
        one.mode,
        one.target,
        one.epochs,
        getattr(one, "noise", None) or "everywhere",
        sigma,
        part,
        Outcome.UNDECIDED,
        "",
        *values,
        raw_gap=float(np.mean([row.gap for row in chosen])) if chosen else None,
        seeds=len({row.seed for row in chosen}),
        runs=tuple(sorted({row.run for row in chosen})),
    )


def _decided(verdicts: Sequence[Verdict], margin: float) -> Iterator[Verdict]:
    """Correct the p values of one family, the sigmas of a group, and decide each."""
    # Too few seeds are no test: they neither pass nor cost the others anything.
    tested = [verdict.seeds >= FEWEST_SEEDS for verdict in verdicts]
    p = holm([verdict.p if test else None for verdict, test in zip(verdicts, tested, strict=True)])
    same = holm([verdict.p_equivalent if test else None for verdict, test in zip(verdicts, tested, strict=True)])
    for verdict, test, p_one, same_one in zip(verdicts, tested, p, same, strict=True):
        estimate = None
        if test and verdict.statistic is not None:
            estimate = Estimate(verdict.statistic, verdict.low, verdict.high, p_one, same_one)
        outcome, reason = decide(estimate, verdict.seeds, margin)
        yield replace(verdict, verdict=outcome, reason=reason, p=p_one, p_equivalent=same_one)


def _meanings(rows: Sequence[Row]) -> Iterator[Meaning]:
    """Return what W measured on clean images, each run once: the controls of a group, or its runs if there are none."""

    def key(row: Row) -> tuple[Any, ...]:
        return row.dataset, row.architecture, row.epochs, row.sigma

    whole = [row for row in rows if row.noise == "everywhere" and row.mode != PATTERN]
    for names, group in groupby(sorted(whole, key=key), key):
        chosen = list(group)
        controls = [row for row in chosen if row.rate == 0] or chosen
        once = list({row.run: row for row in controls}.values())
        entropies, areas = [row.entropy_correlation for row in once], [row.misclassified_auc for row in once]
        yield Meaning(*names, _mean(entropies), _mean(areas), len(once))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
