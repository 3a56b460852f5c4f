"""What commands print: results to stdout, progress to stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from core.instruments.statistics import Proportion


def say(text: str) -> None:
    """Print a line for a person."""
    typer.echo(text)


def say_json(content: dict[str, Any]) -> None:
    """Print one JSON object for a machine."""
    typer.echo(json.dumps(content))


def share_in_words(value: Proportion) -> str:
    """Return a share with its interval and what it was counted from."""
    if value.value is None:
        return "no images to count"
    return f"{value.value:.4f}  [{value.low:.4f}, {value.high:.4f}]  {value.successes} of {value.n}"


@contextmanager
def share_bar(what: str) -> Iterator[Callable[[float, str], None]]:
    """Show a share done on stderr; yields what to call with the share and a text."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share, text: bar.update(task, completed=share, description=f"{what} {text}")
