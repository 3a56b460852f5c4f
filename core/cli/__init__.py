"""The command line: `python -m core COMMAND`. Results go to stdout, progress to stderr."""

from __future__ import annotations

import sys

import typer

from core.cli.bench import bench
from core.cli.datasets import datasets
from core.cli.detect import detect
from core.cli.pattern import pattern
from core.cli.runs import export, import_command, list_command, load
from core.cli.slice import slice_command
from core.cli.smoothness import smoothness
from core.cli.study import study
from core.cli.train import train
from core.cli.work import work
from core.errors import InputError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Triggerscope: draw a trigger, poison a model with it, watch the decision function turn smooth around it.",
)
for name, command in {
    "datasets": datasets,
    "train": train,
    "smoothness": smoothness,
    "slice": slice_command,
    "detect": detect,
    "pattern": pattern,
    "runs": list_command,
    "load": load,
    "export": export,
    "import": import_command,
    "bench": bench,
    "study": study,
    "work": work,
}.items():
    app.command(name)(command)


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit status 2."""
    try:
        app()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
