"""What several commands look at: a run, and an attack on it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.cli.options import AsJson, DataRoot, Place, RunName, Runs, Target, TriggerName
from core.cli.reading import read_trigger
from core.errors import InputError

if TYPE_CHECKING:
    from core.attacks.attack import Attack
    from core.runs.run import DoneRun


@dataclass(frozen=True)
class Subject:
    """The options of a command that looks at a run under an attack, as people gave them; see `core.cli.options`."""

    run: RunName
    trigger: TriggerName = None
    place: Place = None
    target: Target = None
    runs: Runs = None
    data_root: DataRoot = None
    as_json: AsJson = False

    def open(self) -> tuple[DoneRun, Attack]:
        """Return the run and the attack to measure it with: its own, or another trigger or target, all to one."""
        from core.attacks.attack import make_attack
        from core.runs.root import load_run

        run = load_run(self.run, self.runs).finished()
        own = run.spec.attack
        if own is not None and self.trigger is None and self.target is None:
            return run, own
        used = read_trigger(self.trigger, self.place, run.result.shape) if self.trigger else run.trigger
        wanted = own.target if own is not None and self.target is None else self.target
        if used is None or wanted is None:
            raise InputError(f"The run {run.name} is a control or has no single target. Give --trigger and --target.")
        return run, make_attack(trigger=used, target=wanted)


def about_subject(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes the options of a `Subject` in place of its keyword `subject`, after all others."""
    options = inspect.signature(Subject, eval_str=True).parameters

    @functools.wraps(command)
    def about(**values: Any) -> None:
        command(subject=Subject(**{name: values.pop(name) for name in options}), **values)

    own = [part for name, part in inspect.signature(command, eval_str=True).parameters.items() if name != "subject"]
    keywords = [part.replace(kind=inspect.Parameter.KEYWORD_ONLY) for part in (*own, *options.values())]
    # Typer reads both: which parameters there are, and of what types.
    about.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    about.__annotations__ = {part.name: part.annotation for part in keywords}
    return about
