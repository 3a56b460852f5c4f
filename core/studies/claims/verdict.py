"""A verdict on a claim, and the rule by which an estimate becomes one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from core.studies.claims.estimates import LEVEL, Estimate, holm

FEWEST_SEEDS = 5
# Smaller effects count as none: a fiftieth of the scale of W, and a rank correlation of 0.3.
W_MARGIN, RANK_MARGIN = 0.02, 0.3

SENTENCES = {
    "C1": "Backdoored models are smoother around images with the trigger than around the same images without it.",
    "C2": "W measures how uncertain the predictions around an image are.",
    "C3": "The more successful the attack, the smoother the trigger makes the model.",
    "C4": "Other artificial patterns make a model smooth too.",
}
UNADJUSTED = {"C1": "the gap itself", "C3": "with nothing taken off", "C4": "the gap itself"}
"""What a verdict's `unadjusted` is called next to its statistic."""


class Outcome(StrEnum):
    """What the runs say about a claim."""

    SUPPORTED = "supported"
    REVERSED = "reversed"
    NOT_SUPPORTED = "not supported"
    UNDECIDED = "undecided"

    @property
    def is_direction(self) -> bool:
        """Whether there is an effect, whichever way it points."""
        return self in (Outcome.SUPPORTED, Outcome.REVERSED)


MARKS = {Outcome.SUPPORTED: "▲", Outcome.REVERSED: "▼", Outcome.NOT_SUPPORTED: "=", Outcome.UNDECIDED: "?"}


@dataclass(frozen=True, kw_only=True)
class Group:
    """What is never pooled: runs that differ in any of these are judged separately."""

    dataset: str
    architecture: str
    kind: str
    mode: str
    target: int | None
    epochs: int
    noise: str

    @classmethod
    def each(cls, table: pd.DataFrame) -> Iterator[tuple[Group, pd.DataFrame]]:
        """Yield the groups of a table's rows, and each group's rows."""
        columns = ["dataset", "architecture", "kind", "mode", "target", "epochs", "noise"]
        for _, rows in table.fillna({"target": -1}).groupby(columns, sort=True):
            first = rows.iloc[0]
            group = cls(
                dataset=first["dataset"],
                architecture=first["architecture"],
                kind=first["kind"],
                mode=first["mode"],
                target=None if first["target"] < 0 else int(first["target"]),
                epochs=int(first["epochs"]),
                noise=first["noise"],
            )
            yield group, rows


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What some of a group's runs show at one sigma, before anything is decided.

    Attributes
    ----------
    sigma
        The noise.
    estimate
        The statistic with its interval and tests, not corrected for other sigmas; None if there are too few runs.
    unadjusted
        The same statistic with nothing taken off; None if there are too few runs.
    seeds, runs
        How many seeds, and the names of the runs behind it.
    """

    sigma: float
    estimate: Estimate | None
    unadjusted: float | None
    seeds: int
    runs: tuple[str, ...]

    @classmethod
    def of(cls, rows: pd.DataFrame, sigma: float, estimate: Estimate | None, unadjusted: float | None) -> Finding:
        """Return what these rows show."""
        runs, seeds = sorted(set(rows["run"])), len(set(rows["seed"]))
        return cls(sigma=sigma, estimate=estimate, unadjusted=unadjusted, seeds=seeds, runs=tuple(runs))


@dataclass(frozen=True, kw_only=True)
class Verdict(Group):
    """One claim judged on one group of runs at one sigma.

    Attributes
    ----------
    dataset, architecture, kind, mode, target, epochs, noise
        The group: none of these is ever pooled.
    claim
        "C1", "C3" or "C4".
    sigma
        The noise; not pooled either.
    part
        Which runs of the group: "ASR > 0.5", "ASR <= 0.5", "all rates", "along the epochs"; for C4 "clean models" with
        the pattern's bound and the sigma it was made for.
    verdict, reason
        The verdict, and the reason in words.
    statistic, low, high
        C1: mean difference in differences in units of W. C3: rank correlation of ASR with the gap beyond the control's;
        along the epochs that of ASR with the gap, given the epoch. C4: mean gap of a pattern on clean models beyond
        that of random patterns of equal norm. With its 95% interval for more trainings, on the same images and noise,
        and not corrected for the number of sigmas. None where there are too few runs.
    p, p_equivalent
        Of the tests that the true value is 0, and that it lies beyond the margin; both corrected by Holm over the
        sigmas. None below five seeds.
    unadjusted
        The same with nothing taken off: the mean gap for C1 and C4, the rank correlation of ASR with the gap itself,
        and along the epochs the plain one.
    seeds, runs
        How many seeds, and the names of the runs behind it.
    """

    claim: str
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


def decide(estimate: Estimate | None, seeds: int, margin: float) -> tuple[Outcome, str]:
    """Return the verdict on an estimate whose p values are corrected already, and the reason in words.

    This is the rule: the first line that applies.
    """
    if seeds < FEWEST_SEEDS:
        return Outcome.UNDECIDED, f"{seeds} seeds, and a verdict needs {FEWEST_SEEDS}"
    if estimate is None:
        return Outcome.UNDECIDED, "the runs do not differ enough to rank them"
    if estimate.p_equivalent < LEVEL:
        return Outcome.NOT_SUPPORTED, f"the effect is smaller than {margin:g} either way"
    if estimate.p < LEVEL and estimate.value > 0:
        return Outcome.SUPPORTED, "the effect points the claimed way and is larger than chance would explain"
    if estimate.p < LEVEL:
        return Outcome.REVERSED, "the effect points the opposite way and is larger than chance would explain"
    return Outcome.UNDECIDED, "the seeds differ too much to distinguish an effect from none"


def judge_family(claim: str, group: Group, part: str, findings: Sequence[Finding], margin: float) -> list[Verdict]:
    """Return the verdicts on one family of tests, the sigmas of one part of a group; p values are corrected by Holm."""
    # Below five seeds there is no test: it neither passes nor makes the others stricter.
    tested = [finding.estimate if finding.seeds >= FEWEST_SEEDS else None for finding in findings]
    p_values = holm([estimate.p if estimate else None for estimate in tested])
    equivalent = holm([estimate.p_equivalent if estimate else None for estimate in tested])
    verdicts = []
    for finding, estimate, p, p_equivalent in zip(findings, tested, p_values, equivalent, strict=True):
        corrected = None
        if estimate is not None and p is not None and p_equivalent is not None:
            corrected = replace(estimate, p=p, p_equivalent=p_equivalent)
        outcome, reason = decide(corrected, finding.seeds, margin)
        shown = finding.estimate
        verdicts.append(
            Verdict(
                **asdict(group),
                claim=claim,
                sigma=finding.sigma,
                part=part,
                verdict=outcome,
                reason=reason,
                statistic=shown.value if shown else None,
                low=shown.low if shown else None,
                high=shown.high if shown else None,
                p=p,
                p_equivalent=p_equivalent,
                unadjusted=finding.unadjusted,
                seeds=finding.seeds,
                runs=finding.runs,
            )
        )
    return verdicts


def seed_means(rows: pd.DataFrame, column: str) -> list[float]:
    """Return the mean of a column for each seed: its runs share their control, so they are one observation."""
    return [float(np.mean(values.to_numpy())) for _, values in rows.groupby("seed")[column]]


def attack_names(rows: pd.DataFrame) -> pd.Series:
    """Return for each row its attack within the group (size, opacity, rate), which the runs of all seeds share."""
    attacks = zip(rows["size"], rows["opacity"], rows["rate"], strict=True)
    return pd.Series([f"{size} {opacity} {rate}" for size, opacity, rate in attacks], rows.index, dtype=str)


def select(rows: pd.DataFrame, chosen: ArrayLike) -> pd.DataFrame:
    """Return the rows for which a condition, bool [rows], holds."""
    return rows.loc[np.asarray(chosen, bool)]
