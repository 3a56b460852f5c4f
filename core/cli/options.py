"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.attacks.triggers import trigger_names

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Runs = Annotated[Path | None, typer.Option("--runs", help="Folder for runs. Default: TRIGGERSCOPE_RUNS, else runs.")]
DataRoot = Annotated[
    Path | None, typer.Option("--data-root", help="Folder for data. Default: TRIGGERSCOPE_DATA, else data.")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's directory, or the start of its name.")]
TriggerName = Annotated[
    str | None,
    typer.Option(
        "--trigger",
        help=f"{', '.join(trigger_names())}; a picture file (PNG, JPEG, WebP, BMP); or link:TEXT.",
    ),
]
Place = Annotated[str | None, typer.Option("--place", help="Position of a picture's upper left corner, as ROW,COLUMN.")]
Target = Annotated[int | None, typer.Option("--target", help="Number of the target class.")]
