"""`study`: a grid of runs with their controls, and what becomes of the paper's claims."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import AsJson, DataRoot, Runs
from core.cli.output import say, say_json, share_bar

if TYPE_CHECKING:
    from core.studies.claims import Verdict


def study_command(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The grid; see assets/studies for examples.")],
    scheduler: Annotated[
        str | None,
        typer.Option(envvar="TRIGGERSCOPE_SCHEDULER", help="A Dask scheduler, such as tcp://HOST:8786."),
    ] = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Run a study: a grid of runs with their controls; print what becomes of the paper's claims."""
    from core.studies.claims import judge, to_json
    from core.studies.conduct import run_study
    from core.studies.folder import open_study

    found, engine = open_study(file, runs), None
    if scheduler:
        from core.datasets import data_folder
        from core.runs.root import runs_root
        from core.studies.cluster import Cluster

        engine = Cluster(scheduler, runs_root(runs), data_folder(data_root))
    with share_bar(found.spec.name) as show:
        for progress in run_study(found, runs, data_root, engine):
            show(progress.share, progress.words)
    rows, judged = found.rows, judge(found.rows, found.epochs)
    failures = sorted({(row.run, row.failure) for row in rows if row.failure})
    if as_json:
        summary = {"study": str(found.path), "table": str(found.path / "table.csv"), "rows": len(rows)}
        summary |= {"done": progress.done, "cells": progress.total}
        say_json(summary | {"failures": [{"run": run, "reason": why} for run, why in failures]} | to_json(judged))
        return
    for line in _verdict_lines(judged):
        say(line)
    for run, why in failures:
        say(f"failed  {run}: {why}")
    say(f"{progress.done} of {progress.total} runs done; table: {found.path / 'table.csv'}")


def _verdict_lines(judged: dict[str, list[Any]]) -> Iterator[str]:
    """Yield the verdicts as a person reads them, under a line for each group of what is never pooled."""
    from core.studies.claims import UNADJUSTED

    verdicts = [one for claim in ("C1", "C3", "C4") for one in judged.get(claim, [])]
    for group, alike in groupby(verdicts, _group):
        yield group
        for one in alike:
            effect = "" if one.statistic is None else f"{one.statistic:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"
            plain = "" if one.unadjusted is None else f"  {UNADJUSTED[one.claim]} {one.unadjusted:+.3f}"
            named = f"{one.kind} sigma {one.sigma:g} {one.part}"
            yield f"  {one.claim}  {named:40} {one.verdict:13} {effect:25}{plain}"


def _group(one: Verdict) -> str:
    goal = "" if one.target is None else f" -> class {one.target}"
    return f"{one.dataset}, {one.architecture}, {one.epochs} epochs, {one.mode}{goal}, noise {one.noise}"
