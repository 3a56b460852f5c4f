"""The verdicts on each claim, all numbers behind them, and the study's tables to download."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from core.studies.claims import MARKS, SENTENCES, UNADJUSTED, Judged, Outcome, Verdict, all_verdicts
from core.studies.claims.verdict import FEWEST_SEEDS
from core.studies.columns import Row
from core.studies.folder import Study
from dashboard.markdown import plain
from dashboard.parts.table import save_table

LOOKS = {
    Outcome.SUPPORTED: "ts-yes",
    Outcome.REVERSED: "ts-no",
    Outcome.NOT_SUPPORTED: "ts-same",
    Outcome.UNDECIDED: "ts-open",
}
STYLE = """
<style>
.ts-scroll { overflow-x: auto; }
.ts-verdicts { border-collapse: separate; border-spacing: 3px; font-size: 0.86rem; font-variant-numeric: tabular-nums;
  width: 100%; min-width: 38rem; table-layout: fixed; }
.ts-verdicts th { font-weight: 550; text-align: left; padding: 0.1rem 0.3rem; line-height: 1.15; }
.ts-verdicts th span { font-weight: 400; opacity: 0.75; }
.ts-verdicts th:first-child { width: 13.5rem; position: sticky; left: 0; background: light-dark(#fcfcfd, #12131a); }
.ts-verdicts thead th { text-align: center; }
.ts-verdicts td { text-align: center; border-radius: 5px; padding: 0.22rem 0.3rem; white-space: nowrap; }
.ts-verdicts tr.ts-gap td { height: 3px; padding: 0; }
@media (max-width: 640px) {
  .ts-verdicts { font-size: 0.78rem; min-width: 27rem; }
  .ts-verdicts th:first-child { width: 5.2rem; }
}
.ts-yes { background: #00795f; color: #fff; } .ts-no { background: #a52a6a; color: #fff; }
.ts-same { background: rgba(128,128,140,0.32); } .ts-open { border: 1px dashed rgba(128,128,140,0.55); }
.ts-keys i { display: inline-block; border-radius: 4px; padding: 0 0.35rem; font-style: normal; margin-right: 0.3rem; }
</style>
"""
HOW = "W is measured on the same test images with the same noise for a run and its control. The unit is the run."
NUMBERS = {
    "C1": "the mean gap beyond the control's (the gap itself must agree)",
    "C3": "the rank correlation of attack success with the gap beyond the control's, over these poisoning rates",
    "C4": "the mean gap beyond that of random patterns of equal norm (the gap itself must agree)",
}
RULES = Path(__file__).parents[2] / "docs" / "claims.md"


def show_verdicts(judged: Mapping[str, Sequence[Any]], kinds: Sequence[str]) -> None:
    """Show each claim with its verdicts, a row for each kind of trigger and part, a column for each sigma."""
    st.subheader("Which claims hold", help=HOW)
    keys = "".join(f'<i class="{LOOKS[outcome]}">{mark}</i>{outcome} &nbsp; ' for outcome, mark in MARKS.items())
    st.html(f'<div class="ts-small ts-keys">{keys}</div>')
    for claim, number in NUMBERS.items():
        if verdicts := judged.get(claim):
            st.markdown(f"**{claim}** {SENTENCES[claim]}")
            st.html(verdict_table(verdicts, kinds))
            st.caption(f"Numbers: {number}.")
    if judged.get("C2"):
        st.markdown(f"**C2** {SENTENCES['C2']}")
        st.caption("This is a definition, so there is no verdict: its numbers are in the fold below.")
    st.caption(
        f"All of this holds for these test images and this noise. p values are corrected over σ (Holm); with fewer "
        f"than {FEWEST_SEEDS} seeds everything stays undecided. The rules are at the end of this page."
    )


def verdict_table(verdicts: Sequence[Verdict], kinds: Sequence[str]) -> str:
    """Return verdicts as an HTML table."""
    sigmas = sorted({verdict.sigma for verdict in verdicts})
    parts = list(dict.fromkeys(verdict.part for verdict in verdicts))
    cells = {(verdict.kind, verdict.part, verdict.sigma): verdict_cell(verdict) for verdict in verdicts}
    head = "".join(f'<th scope="col">σ = {sigma:g}</th>' for sigma in sigmas)
    body = []
    for kind in kinds:
        judged = {verdict.part for verdict in verdicts if verdict.kind == kind}
        lines = [table_line(kind, part, sigmas, cells) for part in parts if part in judged]
        if lines:
            body.append("".join(lines))
    lines = '<tr class="ts-gap"><td></td></tr>'.join(body)
    table = f'<table class="ts-verdicts"><thead><tr><th></th>{head}</tr></thead><tbody>{lines}</tbody></table>'
    return f'<div class="ts-scroll" tabindex="0" role="region" aria-label="Verdicts">{table}</div>'


def table_line(kind: str, part: str, sigmas: Sequence[float], cells: Mapping[tuple[str, str, float], str]) -> str:
    """Return the line of a kind of trigger and a part of its runs, with a cell for each sigma."""
    title = f"{escape(kind)} <span>{escape(part.replace('<=', '≤'))}</span>"
    line = "".join(cells.get((kind, part, sigma), "<td></td>") for sigma in sigmas)
    return f'<tr><th scope="row">{title}</th>{line}</tr>'


def verdict_cell(verdict: Verdict) -> str:
    """Return one verdict as a table cell; its reason appears on hover."""
    number = "–" if verdict.statistic is None else f"{verdict.statistic:+.2f}"
    interval = "" if verdict.low is None else f", 95% interval {verdict.low:+.3f} to {verdict.high:+.3f}"
    unadjusted = "" if verdict.unadjusted is None else f"; {UNADJUSTED[verdict.claim]} {verdict.unadjusted:+.2f}"
    runs = f"{verdict.seeds} seeds, {len(verdict.runs)} runs"
    title = escape(f"{verdict.verdict}: {verdict.reason}; {runs}{interval}{unadjusted}")
    number = number.replace("-", "−")
    look, mark = LOOKS[verdict.verdict], MARKS[verdict.verdict]
    return f'<td class="{look}" title="{title}" aria-label="{title}">{mark} {number}</td>'


def show_numbers(study: Study, source: Path, judged: Judged) -> None:
    """Show every verdict in numbers, what W measured (C2), and the tables to download."""
    with st.expander("All numbers and downloads"):
        verdicts = all_verdicts(judged)
        columns = ("claim", "dataset", "architecture", "kind", "mode", "target", "epochs", "noise", "sigma", "part")
        columns += ("verdict", "statistic", "low", "high", "p", "p_equivalent", "unadjusted", "seeds", "reason")
        table = {name: [getattr(verdict, name) for verdict in verdicts] for name in columns}
        st.dataframe(table, hide_index=True)
        about = {"study": study.path.name}
        save_table(table, key="verdicts", title="Verdicts", about=about)
        st.markdown(
            f"**C2** {SENTENCES['C2']} This is a definition, so there is no verdict. The table shows, for the "
            "controls' clean images, the rank correlation of W with the entropy of the softmax without noise, and how "
            "well W identifies misclassified images (AUC)."
        )
        names = ("dataset", "architecture", "epochs", "sigma", "entropy_correlation", "misclassified_auc", "runs")
        table = {name: [getattr(meaning, name) for meaning in judged["C2"]] for name in names}
        st.dataframe(table, hide_index=True)
        save_table(table, key="meaning", title="C2: W and the softmax", about=about)
        st.markdown("**Files.** The table has a line for each run, trigger and σ; the study is what makes it again.")
        with st.container(horizontal=True):
            st.download_button(
                "study.toml", source.read_bytes, f"{study.path.name}.toml", on_click="ignore", key="studies.toml"
            )
            for file in ("table.csv", "table.parquet", "epochs.csv"):
                if (study.path / file).exists():
                    st.download_button(
                        file,
                        (study.path / file).read_bytes,
                        f"{study.path.name}-{file}",
                        on_click="ignore",
                        key=f"studies.{file}",
                    )


def show_rules() -> None:
    """Show the rules by which claims are judged: docs/claims.md."""
    with st.expander("The rules: how a claim is judged"):
        # Links to other files lead nowhere from here.
        text = re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]+\)", r"\1", RULES.read_text(encoding="utf-8"))
        st.markdown(text.partition("\n")[2])


def show_failures(rows: Sequence[Row]) -> None:
    """Name the cells that failed."""
    failures = sorted({(row.run, row.failure) for row in rows if row.failure})
    if failures:
        with st.expander(f"{len(failures)} runs failed", icon=":material/error:"):
            for run, why in failures:
                st.markdown(f"**{plain(run)}** {plain(why)}")
