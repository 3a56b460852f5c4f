"""What commands print: results to stdout, progress to stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from core.instruments.statistics import Estimate


def say(text: str) -> None:
    """Print a line for a person."""
    typer.echo(text)


def say_json(content: dict[str, Any]) -> None:
    """Print one JSON object for a machine."""
    typer.echo(json.dumps(content))


def share_in_words(share: Estimate | None) -> str:
    """Return a share with its interval, and of how many images it is a share."""
    if share is None:
        return "no images"
    return f"{share.value:.4f}  [{share.low:.4f}, {share.high:.4f}]  {share.count} of {share.n}"


def share_as_json(share: Estimate | None) -> dict[str, Any] | None:
    """Return a share, its interval and its denominator; None where there were no images."""
    return None if share is None else vars(share) | {"successes": share.count}


def mean_as_json(mean: Estimate) -> dict[str, Any]:
    """Return a mean with its interval."""
    return {"mean": mean.value, "low": mean.low, "high": mean.high}


@contextmanager
def share_bar(what: str) -> Iterator[Callable[[float, str], None]]:
    """Show progress on stderr; yields a function to call with the share done and a text."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share, text: bar.update(task, completed=share, description=f"{what} {text}")
