"""The cells of a study on a Dask cluster: the same work as at home, and the same run directories in the end.

Each worker is a process with one thread on a machine with this same code and the same versions. Where workers reach the
runs' folder under the client's path, they write there; where they do not, a run's files travel over the wire.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import queue
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from core.datasets import data_folder
from core.device import choose_device, choose_precision
from core.errors import InputError
from core.files import PROJECT, write_whole
from core.runs.jobs.last_dataset import LastDataset
from core.studies.cell import Cell, CellResult
from core.studies.cells import compute_cell, failed

if TYPE_CHECKING:
    from distributed import Client, Future

WAIT_SECONDS = 30
# What has to be equal on the client and every worker for equal results.
_COMPARED = ("python", "torch", "numpy", "distributed", "code")


class Cluster:
    """A Dask cluster that computes cells; an engine for `core.studies.conduct.run_study`.

    Parameters
    ----------
    address
        The scheduler's, such as tcp://HOST:8786.
    root, data_root
        Where runs and data live here. Workers that see a file of ours under `root` use both folders as they are;
        others keep data in their own (TRIGGERSCOPE_DATA, else `data`) and send runs back.

    Raises
    ------
    InputError
        Dask is not installed, the scheduler does not answer, it has no workers, or they are not like this machine.
    """

    def __init__(self, address: str, root: Path, data_root: Path) -> None:
        self.address, self.root, self.data_root = address, root.resolve(), data_root.resolve()
        with self._connected() as client:
            workers = _described_workers(client)
        check_workers(workers, describe_here())
        first = next(iter(workers.values()))
        self.machine = {"device": first["device"], "precision": first["precision"]}

    def compute(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, CellResult] | None]:
        """Yield every cell with its result, in the order in which they are done, and None each second in between.

        A cell whose worker dies is computed by another one; after several deaths it is given up. Closing the generator
        ends what is under way at the next event of its training.
        """
        with self._connected() as client, self._mark() as mark:
            futures = {client.submit(work, *self._task(cell, mark), pure=False): cell for cell in cells}
            done: queue.Queue[Future] = queue.Queue()
            for future in futures:
                future.add_done_callback(done.put)
            try:
                left = len(futures)
                while left:
                    try:
                        future = done.get(timeout=1.0)
                    except queue.Empty:
                        yield None
                        continue
                    left -= 1
                    yield futures[future], self._result(futures[future], future)
            finally:
                self._cancel(client, {future: cell for future, cell in futures.items() if not future.done()}, mark)

    def _task(self, cell: Cell, mark: str) -> tuple[Any, ...]:
        """Return the arguments of `work`: what a worker without our storage needs of a run travels along."""
        return cell.model_dump_json(), str(self.root), str(self.data_root), mark, pack(self.root / cell.spec.hash)

    def _result(self, cell: Cell, future: Future) -> CellResult:
        try:
            line, files = future.result()
            if files:
                unpack(files, self.root / cell.spec.hash)
        except Exception as error:
            return failed(cell, f"The cluster gave up on it: {type(error).__name__}: {error}")
        return CellResult.from_json(line)

    def _cancel(self, client: Client, unfinished: dict[Future, Cell], mark: str) -> None:
        if not unfinished:
            return
        client.cancel(list(unfinished))
        names = [cell.spec.hash for cell in unfinished.values()]
        with contextlib.suppress(Exception):  # workers that are gone need not stop
            client.run(ask_to_stop, names, str(self.root), mark)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Client]:
        try:
            from distributed import Client
        except ImportError:
            raise InputError(
                "A cluster needs Dask: install it with `python -m pip install -r requirements-cluster.txt`."
            ) from None
        try:
            client = Client(self.address, timeout=10, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InputError(
                f"No Dask scheduler answers at {self.address} ({type(error).__name__}): start one there, or name "
                "another, such as tcp://127.0.0.1:8786."
            ) from None
        with client:
            yield client

    @contextlib.contextmanager
    def _mark(self) -> Iterator[str]:
        """Leave a file in the runs' folder by which workers see whether theirs is the same folder; yields its name."""
        self.root.mkdir(parents=True, exist_ok=True)
        mark = self.root / f".shared-{uuid.uuid4().hex}"
        mark.touch()
        try:
            yield mark.name
        finally:
            mark.unlink(missing_ok=True)


def describe_here() -> dict[str, Any]:
    """Return what decides on this machine whether its results are those of another."""
    device = choose_device()
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        **{name: _version(name) for name in ("torch", "numpy", "distributed")},
        "code": code_digest(),
        "device": device,
        "precision": choose_precision(device),
    }


def _version(package: str) -> str:
    try:
        return version(package).split("+")[0]  # +cpu and +cu129 are builds of one version
    except PackageNotFoundError:
        return "not installed"


def code_digest() -> str:
    """Return eight digits that name the content of this package's source files."""
    digest = hashlib.sha256()
    folder = PROJECT / "core"
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def _described_workers(client: Client) -> dict[str, dict[str, Any]]:
    try:
        client.wait_for_workers(1, timeout=WAIT_SECONDS)
    except TimeoutError:
        raise InputError("The Dask scheduler has no workers: start some, see docs/cluster.md.") from None
    threads = cast("dict[str, int]", client.nthreads())
    try:
        found = cast("dict[str, dict[str, Any]]", client.run(describe_here))
    except Exception as error:  # most often ModuleNotFoundError, as it happened over there
        raise InputError(
            f"The workers do not know Triggerscope ({error}): start them in its folder, with this same version of it."
        ) from None
    return {address: described | {"threads": threads[address]} for address, described in found.items()}


def check_workers(workers: dict[str, dict[str, Any]], here: dict[str, Any]) -> None:
    """Raise InputError unless every worker has this machine's versions, one thread, and the others' kind of device.

    Parameters
    ----------
    workers
        A worker's address -> what `describe_here` says there, and its `threads`.
    here
        What it says here; the device may be another one.
    """
    for address, worker in workers.items():
        for name in _COMPARED:
            if worker[name] != here[name]:
                what = "Triggerscope" if name == "code" else name
                raise InputError(
                    f"The worker {address} has {what} {worker[name]}, and here it is {here[name]}: results could "
                    "differ. Install the same version on both, then start the worker again."
                )
        if worker["threads"] != 1:
            raise InputError(f"The worker {address} has {worker['threads']} threads: start it with --nthreads 1.")
    kinds = {(worker["device"], worker["precision"]) for worker in workers.values()}
    if len(kinds) > 1:
        named = " and ".join(f"{device} in {precision}" for device, precision in sorted(kinds))
        raise InputError(
            f"The workers compute on {named}, and their results would differ: let the study use workers of one kind."
        )


def work(cell_json: str, root: str, data_root: str, mark: str, files: dict[str, bytes]) -> tuple[str, dict[str, bytes]]:
    """Compute one cell on a worker; return its result as a line and, without shared storage, the run's files.

    Parameters
    ----------
    cell_json
        The cell.
    root, data_root
        The client's folders.
    mark
        Name of a file in the client's runs folder: where it is seen, the folder is shared.
    files
        What the client has of the run: a worker without shared storage goes on from there.
    """
    import torch

    torch.set_num_threads(1)
    cell, folder, shared = Cell.model_validate_json(cell_json), *_root_here(root, mark)
    if not shared:
        unpack(files, folder / cell.spec.hash)
    load = _data_of_worker(Path(data_root) if shared else data_folder().resolve())
    line = compute_cell(cell, folder, load).to_json()
    return line, {} if shared else pack(folder / cell.spec.hash)


@functools.cache
def _data_of_worker(data_root: Path) -> LastDataset:
    """Return what loads data in this process: one cell after another is about the same data set."""
    return LastDataset(data_root)


def ask_to_stop(names: list[str], root: str, mark: str) -> None:
    """Ask for the end of some runs' trainings on a worker, wherever it keeps them."""
    folder, _ = _root_here(root, mark)
    for name in names:
        if (folder / name).is_dir():
            (folder / name / "cancel").touch()


def _root_here(root: str, mark: str) -> tuple[Path, bool]:
    """Return where runs live on this worker, and whether that is the client's folder."""
    if (Path(root) / mark).exists():
        return Path(root), True
    # A folder of this worker's process: two workers on a machine never write the same run.
    folder = Path(tempfile.gettempdir()) / f"triggerscope-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    return folder, False


def pack(run: Path) -> dict[str, bytes]:
    """Return the files of a run's directory, but for locks, wishes and what is half written: name -> content."""
    files = [path for path in sorted(run.rglob("*")) if path.is_file()] if run.is_dir() else []
    left_out = {"lock", "cancel"}
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in files
        if path.name not in left_out and not path.name.endswith(".new")
    }


def unpack(files: dict[str, bytes], run: Path) -> None:
    """Write the files of a run's directory, its result last: from then on it is done.

    Raises
    ------
    InputError
        A name leads out of the directory.
    """
    run.mkdir(parents=True, exist_ok=True)
    for name in sorted(files, key=lambda name: name == "result.json"):
        path = (run / name).resolve()
        if run.resolve() not in path.parents:
            raise InputError(f"A worker sent a file called {name!r}, which lies outside its run: do not trust it.")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, files[name])
