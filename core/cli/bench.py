"""`bench`: the speed table."""

from __future__ import annotations

from typing import Annotated

import typer

from core.cli.options import AsJson, DataRoot
from core.cli.output import say, say_json, share_bar


def bench_command(
    row: Annotated[list[str] | None, typer.Option(help="Measure only this row; may be given more than once.")] = None,
    repetitions: Annotated[int, typer.Option(help="Turns of ours and the reference; fewer than 7 are for trials.")] = 7,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Measure the speed table: ours against plain references, in turns, with what each figure must reach."""
    from core.benchmarks import describe_machine, run_bench

    machine = describe_machine()
    with share_bar("measuring") as show:
        rows = run_bench(row, repetitions, data_root, show)
    if as_json:
        say_json({"machine": machine, "rows": [vars(one) for one in rows]})
        return
    for one in rows:
        verdict = {True: "holds", False: "FALLS SHORT", None: "not meant for this machine"}[one.holds]
        reach = f"{one.comparison} {one.target:g} {one.unit}"
        say(f"{one.name:22} {one.value:8.2f} {one.unit:3} must be {reach:12} {verdict}")
