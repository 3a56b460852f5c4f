"""The command line: `python -m core COMMAND`. Results go to stdout, progress to stderr."""

from __future__ import annotations

import sys

import typer

from core.attacks.patterns import PATTERNS
from core.cli.audit import audit_command
from core.cli.bench import bench_command
from core.cli.datasets import datasets_command
from core.cli.detect import detect_command
from core.cli.pattern import pattern_command
from core.cli.runs import export_command, import_command, list_command, load_command
from core.cli.settings_options import with_settings
from core.cli.slice import slice_command
from core.cli.smoothness import smoothness_command
from core.cli.study import study_command
from core.cli.train import train_command
from core.cli.work import work_command
from core.errors import InputError
from core.instruments.detectors import DETECTORS
from core.training.choices import Choices


def make_app() -> typer.Typer:
    """Return the command line with an option for each setting of today's detectors and patterns."""
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Triggerscope: draw a trigger, poison a model with it, and watch it turn smooth around the trigger.",
    )
    commands = {
        "datasets": datasets_command,
        "train": with_settings(train_command, {"training": Choices}, prefixed=False),
        "smoothness": smoothness_command,
        "slice": slice_command,
        "detect": with_settings(detect_command, DETECTORS, prefixed=True),
        "pattern": with_settings(pattern_command, PATTERNS, prefixed=False),
        "audit": audit_command,
        "runs": list_command,
        "load": load_command,
        "export": export_command,
        "import": import_command,
        "bench": bench_command,
        "study": study_command,
        "work": work_command,
    }
    for name, command in commands.items():
        app.command(name)(command)
    return app


app = make_app()


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit status 2."""
    try:
        app()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
