"""`bench`: the speed table."""

from __future__ import annotations

from typing import Annotated

import typer

from core.cli.options import AsJson, DataRoot
from core.cli.output import say, say_json, share_bar


def bench_command(
    row: Annotated[list[str] | None, typer.Option(help="Measure only this row. May be repeated.")] = None,
    repetitions: Annotated[int, typer.Option(help="Repetitions; fewer than 7 are only for trying it out.")] = 7,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Measure the speed table: our code against plain references, with the figure that each row must reach."""
    from core.benchmarks import describe_machine, run_bench

    machine = describe_machine()
    with share_bar("measuring") as show:
        rows = run_bench(row, repetitions, data_root, show)
    if as_json:
        say_json({"machine": machine, "rows": [vars(measured) for measured in rows]})
        return
    for measured in rows:
        verdict = {True: "holds", False: "FALLS SHORT", None: "not applicable to this machine"}[measured.holds]
        goal = f"{measured.comparison} {measured.target:g} {measured.unit}"
        say(f"{measured.name:22} {measured.value:8.2f} {measured.unit:3} must be {goal:12} {verdict}")
