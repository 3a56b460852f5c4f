"""C3: is the gap larger where the attack is more successful, over the runs and along the epochs of each training?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from core.studies.claims.estimates import (
    mean_estimate,
    mean_of_known,
    partial_rank_correlation,
    rank_correlation,
    rank_estimate,
)
from core.studies.claims.gaps import SUCCESS
from core.studies.claims.verdict import (
    RANK_MARGIN,
    Finding,
    Group,
    Outcome,
    Verdict,
    attack_names,
    judge_family,
    seed_means,
    select,
)

# Along the epochs only trainings count that have this many, and in which attack success moves by this much.
FEWEST_EPOCHS, LEAST_RISE = 4, 0.3


def judge_c3(group: Group, rows: pd.DataFrame) -> Iterator[Verdict]:
    """Judge "smoother for more successful attacks" on a group: over all rates, and within either range of ASR.

    The control's gap is taken off, because a stronger trigger succeeds more and also disturbs any model more.
    """
    rows = select(rows, rows["gap_beyond_control"].notna())
    succeeds = rows["attack_success_rate"] > SUCCESS
    parts = {"all rates": rows, "ASR > 0.5": select(rows, succeeds), "ASR <= 0.5": select(rows, ~succeeds)}
    sigmas = sorted(rows["sigma"].unique())
    for part, chosen in parts.items():
        tables = [select(chosen, chosen["sigma"] == sigma) for sigma in sigmas]
        findings = [_order_at(float(sigma), table) for sigma, table in zip(sigmas, tables, strict=True)]
        verdicts = judge_family("C3", group, part, findings, RANK_MARGIN)
        for verdict, table in zip(verdicts, tables, strict=True):
            if verdict.verdict.is_direction and not _holds_without_any_attack(table):
                reason = "the order disappears when one of the attacks is left out"
                yield replace(verdict, verdict=Outcome.UNDECIDED, reason=reason)
            else:
                yield verdict


def _order_at(sigma: float, rows: pd.DataFrame) -> Finding:
    success, seeds = rows["attack_success_rate"], rows["seed"]
    estimate = rank_estimate(success, rows["gap_beyond_control"], seeds, RANK_MARGIN)
    return Finding.of(rows, sigma, estimate, rank_correlation(success, rows["gap"]))


def _holds_without_any_attack(rows: pd.DataFrame) -> bool:
    """Return whether the order keeps its direction whichever attack is left out.

    Leaving out seeds cannot show that: every seed brings the same few rates.
    """
    attacks = attack_names(rows)
    whole = rank_correlation(rows["attack_success_rate"], rows["gap_beyond_control"])
    for attack in attacks.unique():
        rest = select(rows, attacks != attack)
        correlation = rank_correlation(rest["attack_success_rate"], rest["gap_beyond_control"])
        if whole is None or correlation is None or correlation * whole <= 0:
            return False
    return True


def judge_c3_along_epochs(group: Group, rows: pd.DataFrame) -> list[Verdict]:
    """Judge C3 along the epochs: each training's own partial rank correlation of gap and ASR, averaged over the seeds.

    Given the epoch, because ASR and W both drift while any model is trained; averaged on Fisher's scale.
    """
    trainings = pd.DataFrame(_trainings(rows), columns=["run", "seed", "fisher", "plain"])
    estimate = mean_estimate(seed_means(trainings, "fisher"), float(np.arctanh(RANK_MARGIN)), np.tanh)
    finding = Finding.of(trainings, float(rows["sigma"].iloc[0]), estimate, mean_of_known(trainings["plain"]))
    return judge_family("C3", group, "along the epochs", [finding], RANK_MARGIN)


def _trainings(rows: pd.DataFrame) -> Iterator[tuple[str, int, float, float | None]]:
    """Yield run, seed, partial correlation on Fisher's scale and plain correlation of each training that shows any.

    A training shows nothing if it is too short, or if its ASR hardly moves or only rises.
    """
    for run, epochs in rows.groupby("run", sort=True):
        ordered = epochs.sort_values("epoch", kind="stable")
        epoch, success, gap = (ordered[name].to_numpy(float) for name in ("epoch", "attack_success_rate", "gap"))
        if len(epoch) < FEWEST_EPOCHS or np.ptp(success) < LEAST_RISE or np.ptp(gap) == 0:
            continue
        partial, most = partial_rank_correlation(success, gap, epoch), 1 - 1 / (2 * len(epoch))
        if partial is not None:
            fisher = float(np.arctanh(np.clip(partial, -most, most)))
            yield str(run), int(ordered["seed"].iloc[0]), fisher, rank_correlation(success, gap)
