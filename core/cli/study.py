"""`study`: a grid of runs with their controls, and how the paper's claims hold up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import AsJson, DataRoot, Runs
from core.cli.output import say, say_json, share_bar

if TYPE_CHECKING:
    from core.studies.claims import Verdict


def study_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.toml", help="File that describes the grid; see assets/studies for examples.")
    ],
    scheduler: Annotated[
        str | None,
        typer.Option(envvar="TRIGGERSCOPE_SCHEDULER", help="Address of a Dask scheduler, for example tcp://HOST:8786."),
    ] = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Run a study, a grid of runs with their controls, and print how the paper's claims hold up."""
    from core.studies.claims import all_verdicts, judge, to_json
    from core.studies.conduct import run_study
    from core.studies.folder import open_study

    study, engine = open_study(file, runs), None
    if scheduler:
        from core.datasets import data_folder
        from core.runs.root import runs_root
        from core.studies.cluster import Cluster

        engine = Cluster(scheduler, runs_root(runs), data_folder(data_root))
    done = total = 0
    with share_bar(study.spec.name) as show:
        for progress in run_study(study, runs, data_root, engine):
            show(progress.share, progress.words)
            done, total = progress.done, progress.total
    rows, judged = study.rows, judge(study.rows, study.epochs)
    failures = sorted({(row.run, row.failure) for row in rows if row.failure})
    if as_json:
        summary = {"study": str(study.path), "table": str(study.path / "table.csv"), "rows": len(rows)}
        summary |= {"done": done, "cells": total}
        say_json(summary | {"failures": [{"run": run, "reason": why} for run, why in failures]} | to_json(judged))
        return
    for line in _verdict_lines(all_verdicts(judged)):
        say(line)
    for run, why in failures:
        say(f"failed  {run}: {why}")
    say(f"{done} of {total} runs done; table: {study.path / 'table.csv'}")


def _verdict_lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield the verdicts as a person reads them, under a line for each group of what is never pooled."""
    from core.studies.claims import UNADJUSTED

    for group, alike in groupby(verdicts, _group_title):
        yield group
        for verdict in alike:
            effect = ""
            if verdict.statistic is not None:
                effect = f"{verdict.statistic:+.3f} [{verdict.low:+.3f}, {verdict.high:+.3f}]"
            plain = "" if verdict.unadjusted is None else f"  {UNADJUSTED[verdict.claim]} {verdict.unadjusted:+.3f}"
            title = f"{verdict.kind} σ = {verdict.sigma:g} {verdict.part}"
            yield f"  {verdict.claim}  {title:40} {verdict.verdict:13} {effect:25}{plain}"


def _group_title(verdict: Verdict) -> str:
    goal = "" if verdict.target is None else f" -> class {verdict.target}"
    length = f"{verdict.epochs} epochs"
    return f"{verdict.dataset}, {verdict.architecture}, {length}, {verdict.mode}{goal}, noise {verdict.noise}"
