"""Judging a whole study: every claim on every group of its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

import pandas as pd

from core.studies.claims.gaps import judge_c1, judge_c4
from core.studies.claims.meaning import Meaning, describe_meaning
from core.studies.claims.order import judge_c3, judge_c3_along_epochs
from core.studies.claims.verdict import MARKS, Group, Verdict, select
from core.studies.columns import PATTERN, EpochRow, Row

Judged = dict[str, list[Verdict] | list[Meaning]]


def judge(rows: Sequence[Row], epochs: Sequence[EpochRow] = ()) -> Judged:
    """Return the verdicts of a study, keyed "C1" and "C3", "C4" where patterns were measured, and "C2"'s numbers.

    Parameters
    ----------
    rows
        Its table, see `core.studies.columns.Row`; rows of cells that failed are left out.
    epochs
        Its table along the epochs.
    """
    table = _as_table(rows, Row)
    table = select(table, table["gap"].notna())
    attacks, patterns = select(table, table["rate"] > 0), select(table, table["mode"] == PATTERN)
    along = _as_table(epochs, EpochRow).assign(noise="everywhere")
    judged: Judged = {
        "C1": [verdict for group, runs in Group.each(attacks) for verdict in judge_c1(group, runs)],
        "C2": list(describe_meaning(table)),
        "C3": [verdict for group, runs in Group.each(attacks) for verdict in judge_c3(group, runs)]
        + [verdict for group, course in Group.each(along) for verdict in judge_c3_along_epochs(group, course)],
    }
    if len(patterns):
        judged["C4"] = [verdict for group, runs in Group.each(patterns) for verdict in judge_c4(group, runs)]
    return judged


def all_verdicts(judged: Judged) -> list[Verdict]:
    """Return the verdicts on all claims, without C2's numbers."""
    return [verdict for verdicts in judged.values() for verdict in verdicts if isinstance(verdict, Verdict)]


def to_json(judged: Judged) -> dict[str, list[dict[str, Any]]]:
    """Return the verdicts as JSON content."""
    return {claim: [asdict(verdict) for verdict in verdicts] for claim, verdicts in judged.items()}


def as_markdown(verdicts: Sequence[Verdict]) -> str:
    """Return one claim's verdicts on one group as a Markdown table: a row for each kind and part, a column a sigma."""
    sigmas = sorted({verdict.sigma for verdict in verdicts})
    lines = [
        "| trigger | " + " | ".join(f"σ = {sigma:g}" for sigma in sigmas) + " |",
        "| --- |" + " --- |" * len(sigmas),
    ]
    for kind, part in dict.fromkeys((verdict.kind, verdict.part) for verdict in verdicts):
        row = {verdict.sigma: verdict for verdict in verdicts if (verdict.kind, verdict.part) == (kind, part)}
        cells = [_markdown_cell(row.get(sigma)) for sigma in sigmas]
        lines.append(f"| {kind}, {part.replace('<=', '≤')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _markdown_cell(verdict: Verdict | None) -> str:
    if verdict is None or verdict.statistic is None:
        return ""
    text = f"{MARKS[verdict.verdict]} {verdict.statistic:+.2f}"
    return f"**{text}**" if verdict.verdict.is_direction else text


def _as_table(rows: Sequence[Row] | Sequence[EpochRow], kind: type[Row] | type[EpochRow]) -> pd.DataFrame:
    """Return rows as a table; what is missing in a column of numbers is NaN."""
    table = pd.DataFrame([vars(row) for row in rows], columns=[field.name for field in fields(kind)])
    numbers = [field.name for field in fields(kind) if "float" in str(field.type) or "int" in str(field.type)]
    table[numbers] = table[numbers].apply(pd.to_numeric)
    return table
