"""What people name on the command line: a trigger, a run, and the attack to measure it with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError

if TYPE_CHECKING:
    from core.attacks.attack import Attack
    from core.attacks.triggers import AnyTrigger
    from core.runs.run import DoneRun


def image_shape(dataset: str, data_root: Path | None) -> tuple[int, int, int]:
    """Return (channels, height, width) of a data set's images."""
    from core.datasets import describe, load_dataset

    return describe(dataset).shape or load_dataset(dataset, data_root).shape


def read_trigger(name: str, place: str | None, shape: tuple[int, int, int]) -> AnyTrigger:
    """Return the trigger that a person named; a picture without a place goes to the lower right corner."""
    from core.attacks.triggers import from_link, make_trigger, trigger_names
    from core.attacks.triggers.pictures import read_picture, trigger_from_picture

    if place is not None and (name in trigger_names() or name.startswith("link:")):
        raise InputError(f"--place is for picture files, and {name[:40]!r} has its own position. Leave it out.")
    if name in trigger_names():
        return make_trigger(name, shape)
    if name.startswith("link:"):
        return from_link(name.removeprefix("link:"))
    path = Path(name)
    if not path.is_file():
        raise InputError(
            f"There is no trigger and no file called {name!r}. Choose one of "
            f"{', '.join(trigger_names())}, or give a picture file."
        )
    data = path.read_bytes()
    if place is None:
        height, width = read_picture(data, path.name).shape[:2]
        top, left = max(0, shape[1] - height), max(0, shape[2] - width)
    else:
        top, left = _row_and_column(place)
    return trigger_from_picture(data, path.name, shape, top, left)


def _row_and_column(place: str) -> tuple[int, int]:
    try:
        top, left = (int(part) for part in place.split(","))
    except ValueError:
        raise InputError(f"A place is two whole numbers, ROW,COLUMN, for example 6,6; got {place!r}.") from None
    return top, left


def run_and_attack(
    run: str, trigger: str | None, place: str | None, target: int | None, root: Path | None
) -> tuple[DoneRun, Attack]:
    """Return the run and the attack to measure it with: its own, or another trigger or target, all to one."""
    from core.attacks.attack import make_attack
    from core.runs.root import load_run

    found = load_run(run, root).finished()
    own = found.spec.attack
    if own is not None and trigger is None and target is None:
        return found, own
    used = read_trigger(trigger, place, found.result.shape) if trigger else found.trigger
    wanted = own.target if own is not None and target is None else target
    if used is None or wanted is None:
        raise InputError(f"The run {found.name} is a control or has no single target. Give --trigger and --target.")
    return found, make_attack(trigger=used, target=wanted)
