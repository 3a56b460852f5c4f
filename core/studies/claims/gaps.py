"""C1 and C4: is the mean gap larger than that of its comparison, the control or random patterns of equal norm?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from core.studies.claims.estimates import mean_estimate, mean_of_known
from core.studies.claims.verdict import (
    W_MARGIN,
    Finding,
    Group,
    Outcome,
    Verdict,
    attack_names,
    judge_family,
    seed_means,
    select,
)

# An attack counts as successful if most images outside the target class are predicted as the target.
SUCCESS = 0.5


def judge_c1(group: Group, rows: pd.DataFrame) -> Iterator[Verdict]:
    """Judge "smoother around images with the trigger than around the same images without it" on a group's attacks."""
    succeeds = attack_names(rows).isin(_successful_attacks(rows))
    compared = rows["gap_beyond_control"].notna()
    yield from _judge_gap("C1", group, "ASR > 0.5", select(rows, compared & succeeds), rows)
    yield from _judge_gap("C1", group, "ASR <= 0.5", select(rows, compared & ~succeeds), rows)


def judge_c4(group: Group, rows: pd.DataFrame) -> Iterator[Verdict]:
    """Judge "other artificial patterns smooth too" on a group's patterns, each bound and purpose separately."""
    limits = rows.fillna({"bound": 0.0, "made_for": 0.0})
    for _, alike in limits.groupby(["bound", "made_for"], sort=True):
        bound, made_for = float(alike["bound"].iloc[0]), float(alike["made_for"].iloc[0])
        words = ["clean models"]
        words += [f"bound {bound:g}"] if bound else []
        words += [f"made for σ = {made_for:g}"] if made_for else []
        yield from _judge_gap("C4", group, ", ".join(words), alike, alike)


def _successful_attacks(rows: pd.DataFrame) -> set[str]:
    """Return the attacks that reach more than half of the images on average over the seeds.

    Whole attacks, not single runs: otherwise every seed would bring a different mixture of rates.
    """
    runs = select(rows, rows["attack_success_rate"].notna()).drop_duplicates("run")
    rates = runs.groupby(attack_names(runs))["attack_success_rate"]
    return {str(attack) for attack, values in rates if values.to_numpy().mean() > SUCCESS}


def _judge_gap(claim: str, group: Group, part: str, chosen: pd.DataFrame, rows: pd.DataFrame) -> Iterator[Verdict]:
    """Judge the mean over some of a group's runs of the gap beyond its comparison's, at each sigma of the group.

    A direction also needs the gap itself: less rough than the comparison, but rough, is not smooth.
    """
    beyond = _judge_mean(claim, group, part, chosen, rows, "gap_beyond_control")
    plain = _judge_mean(claim, group, part, chosen, rows, "gap")
    for verdict, of_gap in zip(beyond, plain, strict=True):
        if not verdict.verdict.is_direction or of_gap.verdict is verdict.verdict:
            yield verdict
        elif of_gap.verdict is Outcome.UNDECIDED:
            yield replace(verdict, verdict=Outcome.UNDECIDED, reason="the gap itself shows no clear direction")
        else:
            reason = "the gap itself does not point this way"
            yield replace(verdict, verdict=Outcome.NOT_SUPPORTED, reason=reason)


def _judge_mean(
    claim: str, group: Group, part: str, chosen: pd.DataFrame, rows: pd.DataFrame, column: str
) -> list[Verdict]:
    findings = []
    for sigma in sorted(rows["sigma"].unique()):
        at_sigma = select(chosen, chosen["sigma"] == sigma)
        estimate = mean_estimate(seed_means(at_sigma, column), W_MARGIN)
        findings.append(Finding.of(at_sigma, float(sigma), estimate, mean_of_known(at_sigma["gap"])))
    return judge_family(claim, group, part, findings, W_MARGIN)
