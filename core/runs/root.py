"""The folder that holds all runs: making a run there, and finding it again."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from core.errors import InputError
from core.files import newest_first, refusal
from core.runs.loaded_spec import LoadedSpec
from core.runs.run import DoneRun, Run
from core.runs.spec_file import write_spec
from core.training.spec import RunSpec

RUN_NAME = re.compile(r"[0-9a-f]{12}")
"""How a run is called: the hash of its spec."""


def runs_root(root: Path | str | None = None) -> Path:
    """Return where runs live: the argument, else the environment's TRIGGERSCOPE_RUNS, else `runs` in this folder."""
    return Path(root or os.environ.get("TRIGGERSCOPE_RUNS") or "runs")


def create_run(spec: RunSpec | LoadedSpec, root: Path | str | None = None) -> Run:
    """Return the run of this spec, its directory made if there is none yet.

    Raises
    ------
    InputError
        The folder cannot be written.
    """
    root = runs_root(root)
    path = root / spec.hash
    if (existing := find_run(spec, root)) is not None:
        return existing
    temporary: Path | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Made whole under another name first: nobody ever sees half a run.
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
        temporary.chmod(0o755)
        write_spec(temporary, spec)
        temporary.rename(path)
    except OSError as error:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        if (path / "spec.json").exists():  # somebody else made the same run meanwhile
            return Run(path)
        raise root_refusal(error, root) from None
    return Run(path)


def root_refusal(error: OSError, root: Path) -> InputError:
    """Return in one sentence why nothing can be stored under the runs' root, and what to do."""
    return refusal(error, root, ", or name another folder with --runs or TRIGGERSCOPE_RUNS")


def find_run(spec: RunSpec | LoadedSpec, root: Path | str | None = None) -> Run | None:
    """Return the run of this spec, if its directory exists."""
    path = runs_root(root) / spec.hash
    return Run(path) if (path / "spec.json").exists() else None


def run_named(name: str, root: Path | str | None = None) -> Run | None:
    """Return the run of exactly this name, or None: for names that come from outside, such as a link's."""
    path = runs_root(root) / name if RUN_NAME.fullmatch(name) else None
    return Run(path) if path is not None and (path / "spec.json").exists() else None


def finished_runs(root: Path | str | None = None) -> list[DoneRun]:
    """Return the runs that can be looked at, newest first; those that are under way or damaged are left out."""
    finished = []
    for run in list_runs(root):
        with suppress(InputError):
            _ = run.spec
            finished.append(run.finished())
    return finished


def load_run(path: Path | str, root: Path | str | None = None) -> Run:
    """Return the run in a directory, or the one under `root` whose name begins with `path`.

    Raises
    ------
    InputError
        There is no such run, or its spec cannot be read.

    Examples
    --------
    >>> from core import RunSpec, train_run
    >>> run = train_run(RunSpec(dataset="digits", epochs=1))
    >>> load_run(run.name[:8]).spec == run.spec
    True
    """
    folders = [folder for folder in (Path(path), runs_root(root) / str(path)) if (folder / "spec.json").exists()]
    if not folders and re.fullmatch(r"[0-9a-f]{4,12}", str(path)):
        folders = [run.path for run in list_runs(root) if run.name.startswith(str(path))]
        if len(folders) > 1:
            raise InputError(f"{len(folders)} runs begin with {path}: give more of the name.")
    if not folders:
        raise InputError(
            f"{path} is not a run: a run is a directory with a spec.json, or the beginning of a name that "
            "`python -m core runs` lists."
        )
    run = Run(folders[0].resolve())
    _ = run.spec  # whoever opens it is told at once if it cannot be read
    return run


def list_runs(root: Path | str | None = None) -> list[Run]:
    """Return all runs under the root, newest first."""
    specs = newest_first(runs_root(root).glob("*/spec.json"))
    return [Run(path.parent) for path in specs if RUN_NAME.fullmatch(path.parent.name)]
