"""An ONNX file in several parts, as torch.onnx.export writes it by default: made one file, with all weights inside."""

from __future__ import annotations

import mmap
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from core.errors import InputError
from core.files import directory_length
from core.models.foreign.onnx_model import LARGEST_FILE, open_sandbox, require_packages

_SECONDS_TO_JOIN = 60
# The key under which a tensor says which other file it lies in: no such file has none of it.
_LOCATION = b"location"
_MOST_MEMBERS, _LARGEST_ENTRY = 50, 512


@contextmanager
def made_whole(path: Path, name: str) -> Iterator[Path]:
    """Yield a file that holds all of an ONNX model, for as long as it is needed; any other file as it is.

    Parameters
    ----------
    path
        An ONNX file, whose other parts lie next to it under the names that it gives them; a ZIP file of all parts; or
        a file of another kind.
    name
        What to call it in a sentence.

    Raises
    ------
    InputError
        A part is missing, or named by more than a plain file name; or the model is damaged or too large.
    """
    with tempfile.TemporaryDirectory() as folder:
        unpacked = _unpacked(path, Path(folder), name)
        if unpacked is None and path.suffix.lower() != ".onnx":
            yield path
            return
        content = _joined(unpacked or path, name)
        if content is None:
            yield unpacked or path
            return
        whole = Path(folder) / "whole.onnx"
        whole.write_bytes(content)
        yield whole


def _joined(path: Path, name: str) -> bytes | None:
    """Return the content of a model with its other parts put in; None if it has no other parts."""
    require_packages()
    if path.stat().st_size > LARGEST_FILE:
        raise InputError(f"{name} is larger than an ONNX file can be (2 GB): give a smaller model.")
    siblings = sum(file.stat().st_size for file in path.parent.iterdir() if file.is_file())
    if not _names_others(path):
        return None
    with open_sandbox(path, name, min(siblings, LARGEST_FILE)) as sandbox:
        values = {"path": str(path.resolve()), "name": name}
        answer, _ = sandbox.ask("join", values, seconds=_SECONDS_TO_JOIN)
        length = int(answer["length"])
        if not 0 < length <= LARGEST_FILE:
            return None
        _, content = sandbox.ask("joined", {}, seconds=_SECONDS_TO_JOIN, expected=length)
        return content


def _names_others(path: Path) -> bool:
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(_LOCATION) >= 0


def model_in_zip(path: Path) -> str | None:
    """Return the name of the one ONNX file in a ZIP file; None where this is no ZIP file, or one of something else."""
    length = directory_length(path)
    if length is None or length > _MOST_MEMBERS * _LARGEST_ENTRY:
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            models = [name for name in archive.namelist() if name.lower().endswith(".onnx")]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return None
    return models[0] if len(models) == 1 else None


def _unpacked(path: Path, folder: Path, name: str) -> Path | None:
    """Unpack a ZIP of one ONNX file and its parts; return the ONNX file, None if this is another kind of file."""
    model = model_in_zip(path)
    if model is None:
        return None
    inside = PurePosixPath(model.replace("\\", "/")).parent
    with zipfile.ZipFile(path) as archive:
        infos = [
            info
            for info in archive.infolist()
            if not info.is_dir() and PurePosixPath(info.filename.replace("\\", "/")).parent == inside
        ]
        if sum(info.file_size for info in infos) > LARGEST_FILE:
            raise InputError(f"{name} unpacks to more than an ONNX file can be (2 GB): give a smaller model.")
        for info in infos:
            plain = PurePosixPath(info.filename.replace("\\", "/")).name
            try:
                (folder / plain).write_bytes(archive.read(info))
            except (OSError, RuntimeError, zipfile.BadZipFile, NotImplementedError) as error:
                raise InputError(f"{name} is damaged ({error}): make the ZIP again.") from None
    return folder / PurePosixPath(model.replace("\\", "/")).name
