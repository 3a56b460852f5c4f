"""A run as one file: written the same way wherever it is exported, and checked before anything of it is kept.

It is a ZIP of uncompressed members without folders: the manifest `triggerscope.json`, which holds the run's name and
every other member's SHA-256, and the run's own files. Measurements are left out: whoever opens it measures anew.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from core.files import stored_members
from core.models.foreign.check import check_network, check_onnx
from core.models.foreign.file import MANIFEST
from core.runs.loaded_spec import LoadedSpec
from core.runs.root import root_refusal, runs_root
from core.runs.run import DoneRun, Run

FORMAT = 1
SUFFIX = ".run.zip"
_REQUIRED = ("spec.json", "result.json")
_MODELS = ("model.safetensors", "model.onnx")
_OPTIONAL = ("events.jsonl", "label.json")
_LARGEST = {"spec.json": 16, "result.json": 4, "label.json": 1, "events.jsonl": 256, MANIFEST: 1}
_LARGEST_MODEL = 4096
_MOST_MEMBERS = 16
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first day a ZIP can name: when it was exported is no part of a run


@dataclass(frozen=True)
class Imported:
    """The run that was in a file, and whether it is new here."""

    run: DoneRun
    is_new: bool


def archive_name(run: Run) -> str:
    """Return what a run's file is called."""
    return f"triggerscope-{run.name}{SUFFIX}"


def export_run(run: Run) -> bytes:
    """Return a finished run as one file. The same run gives the same bytes, whenever and wherever.

    Raises
    ------
    InputError
        The run is not done, or its files are damaged.
    """
    if run.result is None:
        raise InputError(f"The run {run.name} is {run.state.shown}: only a finished run can be exported.")
    contents = _read_folder(run.path)
    manifest = {
        "format": FORMAT,
        "run": run.spec.hash,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())},
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())
        for name, content in sorted(contents.items()):
            _add(archive, name, content)
    return packed.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.create_system, member.external_attr = 3, 0o100644 << 16
    archive.writestr(member, content)


def import_run(path: Path, root: Path | str | None = None, name: str | None = None) -> Imported:
    """Take over a run from the file that `export_run` made, or from a run's folder.

    A run that is here already stays as it is.

    Parameters
    ----------
    path
        The file or folder.
    root
        Where runs live; see `core.runs.root.runs_root`.
    name
        What to call it in a sentence, by default its own name.

    Raises
    ------
    InputError
        It is no run, was changed since it was made, or does not hold together: name, spec, result and weights have to
        fit; or runs cannot be stored. Nothing is kept then.
    """
    name = name or path.name
    contents, named = (_read_folder(path, name), None) if path.is_dir() else _read_archive(path, name)
    root = runs_root(root)
    temporary: Path | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
        temporary.chmod(0o755)
        for member, content in contents.items():
            (temporary / member).write_bytes(content)
        _check(Run(temporary), named, name)
        return _move(Run(temporary), root, name)
    except OSError as error:
        raise root_refusal(error, root) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _read_folder(path: Path, name: str | None = None) -> dict[str, bytes]:
    """Return the files of a run's folder that belong to an export."""
    name = name or path.name
    contents = {}
    for member in (*_REQUIRED, *_MODELS, *_OPTIONAL):
        file = path / member
        if file.is_symlink() or (file.exists() and not file.is_file()):
            raise InputError(f"{name} holds {member} as a link or a folder: a run has plain files.")
        if file.exists():
            _check_size(member, file.stat().st_size, name)
            contents[member] = file.read_bytes()
    _check_names(contents, name)
    return contents


def _read_archive(path: Path, name: str) -> tuple[dict[str, bytes], str]:
    """Return the members of an archive, each as its manifest says, and the name that it gives the run."""
    try:
        members = stored_members(path, _MOST_MEMBERS)
        for member in members.values():
            _check_size(member.filename, member.file_size, name)
        with zipfile.ZipFile(path) as archive:
            contents = {member: archive.read(member) for member in members}
    except (OSError, EOFError, zipfile.BadZipFile, RuntimeError) as error:
        raise InputError(f"{name} is cut off or damaged ({error}): copy the whole file again.") from None
    manifest = _manifest(contents.pop(MANIFEST, None), name)
    _check_names(contents, name)
    found = {member: hashlib.sha256(content).hexdigest() for member, content in contents.items()}
    if manifest["files"] != found:
        raise InputError(f"{name} was changed since it was exported (its checksums differ): export the run again.")
    return contents, manifest["run"]


def _manifest(content: bytes | None, name: str) -> dict:
    if content is None:
        raise InputError(f"{name} is no exported run (it has no {MANIFEST}): give a file that Export made.")
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        manifest = json.loads(content)
        if (manifest["format"], type(manifest["run"]), type(manifest["files"])) == (FORMAT, str, dict):
            return manifest
    raise InputError(f"{name} was exported by another version of this program, or damaged: export the run again.")


def _check_size(member: str, size: int, name: str) -> None:
    largest = _LARGEST.get(member, _LARGEST_MODEL)
    if size > largest << 20:
        raise InputError(f"{name} holds a {member[:40]!r} of {size >> 20} MB; at most {largest} MB are expected.")


def _check_names(contents: dict[str, bytes], name: str) -> None:
    foreign = set(contents) - {*_REQUIRED, *_MODELS, *_OPTIONAL}
    if foreign:
        raise InputError(f"{name} holds {min(foreign)[:60]!r}, which belongs to no run: export the run again.")
    missing = [member for member in _REQUIRED if member not in contents]
    if missing:
        raise InputError(f"{name} is no finished run (it has no {missing[0]}): export a run that is done.")
    if len([member for member in _MODELS if member in contents]) != 1:
        raise InputError(f"{name} holds no model, or two of them: export the run again.")


def _check(run: Run, named: str | None, name: str) -> None:
    """Refuse a run whose parts do not fit each other."""
    try:
        spec, done = run.spec, run.finished()
        shape, classes = done.result.shape, len(done.result.classes)
        if named not in (None, spec.hash):
            raise InputError(f"its spec is that of the run {spec.hash}, not of {named[:20]}: export the run again.")
        if isinstance(spec, LoadedSpec) and spec.interface is not None:
            check_onnx(run.path / "model.onnx", shape, spec.sha256, spec.interface)
        else:
            check_network(run.path / "model.safetensors", spec.architecture, shape, classes)
        _ = run.epochs
        done.model()
    except InputError as error:
        # They name the folder that it was unpacked into for a moment.
        raise InputError(f"{name} holds no run that can be used: {_without(error, run.path)}") from None
    except Exception as error:  # whatever a made-up file leads to
        raise InputError(f"{name} holds no run that can be used ({type(error).__name__}): export it again.") from None


def _without(error: InputError, folder: Path) -> str:
    text = str(error).replace(str(folder), "it").replace(f"run {folder.name}", "this run").replace(folder.name, "it")
    return text[0].lower() + text[1:]


def _move(run: Run, root: Path, name: str) -> Imported:
    """Give a checked run its name; one of that name that is here already stays."""
    target = Run(root / run.spec.hash)
    if target.path.exists():
        if target.result is not None:
            return Imported(target.finished(), is_new=False)
        raise InputError(f"{name} is the run {target.name}, which is here but {target.state}: delete that one first.")
    run.path.rename(target.path)
    return Imported(target.finished(), is_new=True)
