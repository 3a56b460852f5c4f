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

from core.instruments.statistics import rank_correlation
from core.studies.rows import PATTERN, EpochRow, Row

LEVEL = 0.05
FEWEST_SEEDS = 5
# An attack counts as successful if most images outside the target class are taken for the target.
SUCCESS = 0.5
# Smaller effects are as good as none: a fiftieth of the scale of W, and a rank correlation of 0.3.
W_MARGIN, RANK_MARGIN = 0.02, 0.3
# A rank correlation over fewer runs has no interval that holds.
FEWEST_RUNS = 8
# A jackknife that finds less than this on Fisher's scale has found nothing.
_NO_SPREAD = 1e-6
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
        ASR; along the epochs that of the gap with ASR, given the epoch. C4: mean gap of a pattern on clean models
        beyond that of random patterns of equal norm. With its 95 % interval for more trainings, on the same images and
        noise, and not corrected for the number of sigmas. None where there are too few runs.
    p, p_equivalent
        That the true value is 0, and that it lies beyond the margin; both corrected by Holm over the sigmas.
    unadjusted
        The same with nothing taken off: the mean gap of C1 and C4, the rank correlation of the gap itself with ASR,
        and along the epochs the plain one.
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
    unadjusted: float | None
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
UNADJUSTED = {"C1": "the gap itself", "C3": "with nothing taken off", "C4": "the gap itself"}
"""What a verdict's `unadjusted` is called beside its statistic."""

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
        Its table, see `core.studies.tables.Row`; rows of cells that failed are left out.
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


def mean_estimate(
    values: Sequence[float], margin: float, back: Callable[[float], float] = lambda value: value
) -> Estimate | None:
    """Estimate a mean from one value a seed by Student's t; None below two seeds.

    Parameters
    ----------
    values
        One independent value for each seed.
    margin
        Means within plus and minus this count as none, on the scale of the values.
    back
        Leads from the scale of the values to the one that people read, and is not decreasing.
    """
    x = np.asarray(values, np.float64)
    if len(x) < 2:
        return None
    return _estimate(float(x.mean()), float(x.std(ddof=1) / np.sqrt(len(x))), len(x) - 1, margin, back)


def rank_estimate(x: Sequence[float], y: Sequence[float], seeds: Sequence[int], margin: float) -> Estimate | None:
    """Estimate Spearman's rank correlation over runs, with seeds as the independent units.

    Runs of one seed share their control and their initial weights, so the usual p value, which takes all runs for
    independent, does not hold. The interval is a jackknife's that leaves out one seed at a time, on Fisher's scale
    (the inverse hyperbolic tangent). Where leaving a seed out changes nothing, because all seeds order their runs alike
    or nearly perfectly, its standard error is at least that of as many independent runs, 1.03 / sqrt(n - 3).

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
    if error < _NO_SPREAD or np.abs(left_out).max() >= np.arctanh(most):
        error = max(error, 1.03 / float(np.sqrt(len(x) - 3)))
    return _estimate(whole, error, n - 1, float(np.arctanh(margin)), np.tanh)


def _fisher(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray, most: float) -> float | None:
    """Return the rank correlation on Fisher's scale, cut off at `most`; None if either does not vary."""
    correlation = _rank_correlation(x, y)
    return None if correlation is None else float(np.arctanh(np.clip(correlation, -most, most)))


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
    works = _attacks_that_work(rows)
    for part in ("ASR > 0.5", "ASR <= 0.5"):
        mine = [
            row
            for row in rows
            if row.gap_beyond_control is not None and (_attack(row) in works) == (part == "ASR > 0.5")
        ]
        yield from _judge_gap("C1", part, rows, mine)


def _judge_c4(rows: list[Row]) -> Iterator[Verdict]:
    """Judge "other artificial patterns smooth too" on one kind of pattern, bound and purpose."""

    def key(row: Row) -> tuple[float, float]:
        return row.bound or 0.0, row.made_for or 0.0

    for _, group in groupby(sorted(rows, key=key), key):
        alike = list(group)
        limits = {"bound ": alike[0].bound, "made for σ ": alike[0].made_for}
        words = ["clean models", *(f"{name}{value:g}" for name, value in limits.items() if value is not None)]
        yield from _judge_gap("C4", ", ".join(words), alike, alike)


def _where_both(found: Iterable[Verdict], other: Iterable[Verdict]) -> Iterator[Verdict]:
    """Keep a direction only where the gap itself, with nothing taken off, has it too."""
    for one, second in zip(found, other, strict=True):
        if one.verdict not in _DIRECTIONS or second.verdict is one.verdict:
            yield one
        elif second.verdict is Outcome.UNDECIDED:
            yield replace(one, verdict=Outcome.UNDECIDED, reason="the gap itself does not tell a direction")
        else:
            yield replace(one, verdict=Outcome.NOT_SUPPORTED, reason="the gap itself does not have this direction")


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


def _judge_gap(claim: str, part: str, rows: list[Row], mine: list[Row]) -> Iterator[Verdict]:
    """Judge the mean over some of a group's runs of what the gap is beyond its comparison's, at each sigma.

    A direction needs the gap itself as well: what is less rough than its comparison, but rough, is not smooth.
    """
    numbers: tuple[Callable[[Row], float | None], ...] = (lambda row: row.gap_beyond_control, lambda row: row.gap)
    beyond, raw = (list(_judge_mean(claim, part, rows, mine, number)) for number in numbers)
    yield from _where_both(beyond, raw)


def _judge_mean(
    claim: str, part: str, rows: list[Row], mine: list[Row], number: Callable[[Row], float | None]
) -> Iterator[Verdict]:
    verdicts = []
    for sigma in sorted({row.sigma for row in rows}):
        chosen = [row for row in mine if row.sigma == sigma]
        estimate = mean_estimate(_a_value_each_seed(chosen, number), W_MARGIN)
        gap = _mean(row.gap for row in chosen)
        verdicts.append(_verdict(claim, chosen or rows, sigma, part, estimate, gap, chosen))
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
        sigmas = sorted({row.sigma for row in rows})
        each = [[row for row in mine if row.sigma == sigma] for sigma in sigmas]
        verdicts = []
        for sigma, chosen in zip(sigmas, each, strict=True):
            asr, seeds = [row.attack_success_rate for row in chosen], [row.seed for row in chosen]
            estimate = rank_estimate(asr, [row.gap_beyond_control for row in chosen], seeds, RANK_MARGIN)
            raw = _rank_correlation(asr, [row.gap for row in chosen])
            verdicts.append(_verdict("C3", chosen or rows, sigma, part, estimate, raw, chosen))
        for verdict, chosen in zip(_decided(verdicts, RANK_MARGIN), each, strict=True):
            if verdict.verdict in _DIRECTIONS and not _holds_without_any_attack(chosen):
                reason = "without one of the attacks there is no such order"
                yield replace(verdict, verdict=Outcome.UNDECIDED, reason=reason)
            else:
                yield verdict


def _holds_without_any_attack(rows: Sequence[Row]) -> bool:
    """Return whether the order keeps its direction whichever attack is left out.

    Leaving out seeds says nothing about that: every seed brings the same few rates.
    """
    attacks = {_attack(row) for row in rows}
    kept = [rows, *([row for row in rows if _attack(row) != attack] for attack in attacks)]
    pairs = ([(row.attack_success_rate, row.gap_beyond_control) for row in part] for part in kept)
    whole, *others = (_rank_correlation(*zip(*part, strict=True)) if part else None for part in pairs)
    return all(other is not None and other * whole > 0 for other in others)


def _rank_correlation(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation; None where either does not vary."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return rank_correlation(x, y)


def _along_epochs(rows: Sequence[EpochRow]) -> Iterator[Verdict]:
    """Judge C3 along the epochs: each training's own partial rank correlation of gap and ASR, averaged over the seeds.

    Given the epoch, because ASR and W both drift while any model is trained; averaged on Fisher's scale.
    """
    for _, group in groupby(sorted(rows, key=_group_key), _group_key):
        chosen = list(group)
        courses = {course.run: course for course in _courses(chosen)}
        kept = [row for row in chosen if row.run in courses and row.epoch == row.epochs]
        values = _a_value_each_seed(kept, lambda row, of=courses: of[row.run].fisher)
        estimate = mean_estimate(values, float(np.arctanh(RANK_MARGIN)), np.tanh)
        plain = _mean(course.plain for course in courses.values())
        verdict = _verdict("C3", kept or chosen, chosen[0].sigma, "along the epochs", estimate, plain, kept)
        yield from _decided([verdict], RANK_MARGIN)


@dataclass(frozen=True)
class _Course:
    """How one training's gap goes with its ASR: the partial correlation on Fisher's scale, and the plain one."""

    run: str
    fisher: float
    plain: float


def _courses(rows: Sequence[EpochRow]) -> Iterator[_Course]:
    """Yield what each training shows; those that are too short or whose ASR hardly moves or only rises show nothing."""
    for run, course in groupby(sorted(rows, key=lambda row: (row.run, row.epoch)), lambda row: row.run):
        epoch, asr, gap = np.array([(row.epoch, row.attack_success_rate, row.gap) for row in course]).T
        if len(asr) >= FEWEST_EPOCHS and np.ptp(asr) >= LEAST_RISE and np.ptp(gap) > 0:
            correlation, most = partial_rank_correlation(asr, gap, epoch), 1 - 1 / (2 * len(asr))
            if correlation is not None:
                fisher = float(np.arctanh(np.clip(correlation, -most, most)))
                yield _Course(run, fisher, _rank_correlation(asr, gap))


def partial_rank_correlation(x: np.ndarray, y: np.ndarray, given: np.ndarray) -> float | None:
    """Return Spearman's correlation of x and y given a third variable; None where that decides x or y already."""
    xy, xz, yz = (rank_correlation(a, b) for a, b in ((x, y), (x, given), (y, given)))
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
    unadjusted: float | None,
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
        unadjusted=unadjusted,
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
