"""Training and measuring a run that is shipped with the project: what its spec makes, and what the pages ask of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.attacks.attack import Attack
from core.runs.jobs.worker import train_run
from core.runs.measured.w import Measurement, measure_run, page_attack_spec, sweep_sigmas
from core.training.events import Progress

if TYPE_CHECKING:
    from core.runs.run import DoneRun
    from core.training.spec import RunSpec


def train_shipped(spec: RunSpec, folder: Path, data_root: Path | None) -> DoneRun:
    """Train a spec in a folder, and leave of it what others need; a run that is done stays as it is."""
    run = train_run(spec, folder, data_root)
    (run.path / "lock").unlink(missing_ok=True)
    events = [event for event in run.events if not isinstance(event, Progress)]
    run.start()  # without the progress inside epochs, which nobody will watch again
    for event in events:
        run.write_event(event)
    return run


def measure_shipped(run: DoneRun, attack: Attack, data_root: Path | None) -> list[Measurement]:
    """Return what Explore, Gallery and Runs show of a run at each sigma, kept with it so that it is there at once."""
    return [measure_run(run, page_attack_spec(attack, sigma), data_root) for sigma in sweep_sigmas(run.result.shape)]
