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
FEWEST_POINTS = 4


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
        C1: mean difference in differences in units of W. C3: rank correlation of the gap with ASR. C4: mean gap of a
        pattern on clean models. With its 95 % interval for more seeds, not corrected for the number of sigmas. None
        where there are too few runs.
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


def in_words(verdicts: Sequence[Verdict]) -> str:
    """Return one line about a claim: for each kind of trigger, how often it was supported, reversed, and so on.

    Only each claim's first part is counted: successful attacks for C1, all rates for C3.
    """
    first = [one for one in verdicts if one.part == {"C1": "ASR > 0.5", "C3": "all rates"}.get(one.claim, one.part)]
    kinds: dict[str, list[Verdict]] = {}
    for one in first:
        kinds.setdefault(one.kind, []).append(one)
    return "; ".join(f"{kind}: {_count_in_words(group)}" for kind, group in kinds.items())


def _count_in_words(verdicts: Sequence[Verdict]) -> str:
    counts = {outcome: [one.sigma for one in verdicts if one.verdict is outcome] for outcome in Outcome}
    if len(verdicts) == len(counts[Outcome.UNDECIDED]):
        return "undecided"
    said = [f"{outcome} {_where(sigmas, len(verdicts))}" for outcome, sigmas in counts.items() if sigmas]
    return ", ".join(said)


def _where(sigmas: Sequence[float], of: int) -> str:
    return "at every σ" if len(sigmas) == of else "at σ " + ", ".join(f"{sigma:g}" for sigma in sorted(set(sigmas)))


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
    return f"**{text}**" if one.verdict in (Outcome.SUPPORTED, Outcome.REVERSED) else text


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
    (the inverse hyperbolic tangent).

    Parameters
    ----------
    x, y, seeds
        Two values and the seed of each run.
    margin
        Correlations within plus and minus this count as none.

    Returns
    -------
    Estimate or None
        None if there are fewer than `FEWEST_POINTS` runs or two seeds, or if either value is the same for all runs,
        whichever seed is left out.
    """
    x, y, seeds = np.asarray(x, np.float64), np.asarray(y, np.float64), np.asarray(seeds)
    units = np.unique(seeds)
    if len(units) < 2 or len(x) < FEWEST_POINTS:
        return None
    whole = _fisher(x, y)
    left_out = [_fisher(x[seeds != unit], y[seeds != unit]) for unit in units]
    if whole is None or None in left_out:
        return None
    n = len(units)
    error = float(np.sqrt((n - 1) / n * np.sum((np.array(left_out) - np.mean(left_out)) ** 2)))
    return _estimate(whole, error, n - 1, float(np.arctanh(margin)), np.tanh)


def _fisher(x: np.ndarray, y: np.ndarray) -> float | None:
    """Return the rank correlation on Fisher's scale, cut off a little before 1; None if either does not vary."""
    if len(x) < 3 or (x == x[0]).all() or (y == y[0]).all():
        return None
    from scipy.stats import spearmanr

    # Half a step below 1: a perfect order of n runs is compatible with nearly perfect ones.
    most = 1 - 1 / (2 * len(x))
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
    """Judge "smoother around triggered samples than around the same samples without the trigger" on one group."""
    for part in ("ASR > 0.5", "ASR <= 0.5"):
        mine = [row for row in rows if row.gap_beyond_control is not None and _succeeds(row) == (part == "ASR > 0.5")]
        yield from _judge_gap("C1", part, rows, mine, lambda row: row.gap_beyond_control)


def _judge_c4(rows: list[Row]) -> Iterator[Verdict]:
    """Judge "other artificial patterns smooth too" on one kind of pattern: by more than a random one of equal norm."""
    part = "clean models"
    beyond = _judge_gap("C4", part, rows, rows, lambda row: row.gap_beyond_control)
    for found, more in zip(_judge_gap("C4", part, rows, rows, lambda row: row.gap), beyond, strict=True):
        if found.verdict is Outcome.SUPPORTED and more.verdict is not Outcome.SUPPORTED:
            open_yet = more.verdict is Outcome.UNDECIDED
            verdict = Outcome.UNDECIDED if open_yet else Outcome.NOT_SUPPORTED
            reason = "a random pattern of equal norm " + ("may smooth as much" if open_yet else "smooths as much")
            yield replace(found, verdict=verdict, reason=reason)
        else:
            yield found


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
    """Judge "more so for more successful attacks" on one group: over all rates, and within either range of ASR."""
    parts = {
        "all rates": rows,
        "ASR > 0.5": [row for row in rows if _succeeds(row)],
        "ASR <= 0.5": [row for row in rows if not _succeeds(row)],
    }
    for part, mine in parts.items():
        verdicts = []
        for sigma in sorted({row.sigma for row in rows}):
            chosen = [row for row in mine if row.sigma == sigma]
            asr, gap = [row.attack_success_rate for row in chosen], [row.gap for row in chosen]
            estimate = rank_estimate(asr, gap, [row.seed for row in chosen], RANK_MARGIN)
            verdicts.append(_verdict("C3", chosen or rows, sigma, part, estimate, chosen))
        yield from _decided(verdicts, RANK_MARGIN)


def _along_epochs(rows: Sequence[EpochRow]) -> Iterator[Verdict]:
    """Judge C3 along the epochs: each training's own rank correlation of gap and ASR, averaged over the seeds."""
    for _, group in groupby(sorted(rows, key=_group_key), _group_key):
        chosen = list(group)
        correlations = dict(_course_correlations(chosen))
        kept = [row for row in chosen if row.run in correlations and row.epoch == row.epochs]
        values = _a_value_each_seed(kept, lambda row, of=correlations: of[row.run])
        estimate = mean_estimate(values, RANK_MARGIN)
        verdict = _verdict("C3", kept or chosen, chosen[0].sigma, "along the epochs", estimate, kept)
        yield from _decided([verdict], RANK_MARGIN)


def _course_correlations(rows: Sequence[EpochRow]) -> Iterator[tuple[str, float]]:
    """Yield each training's name and its rank correlation of gap with ASR; those that are short or stand still drop."""
    from scipy.stats import spearmanr

    for run, course in groupby(sorted(rows, key=lambda row: (row.run, row.epoch)), lambda row: row.run):
        asr, gap = np.array([(row.attack_success_rate, row.gap) for row in course]).T
        if len(asr) >= FEWEST_POINTS and (asr != asr[0]).any() and (gap != gap[0]).any():
            yield run, float(spearmanr(asr, gap).statistic)


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
