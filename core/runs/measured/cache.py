"""Results that are kept with a run: one way to look up, compute, store and distrust them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from pydantic import TypeAdapter

from core.files import write_whole
from core.runs.run import Run

Value = TypeVar("Value")


@dataclass(frozen=True)
class Kept(Generic[Value]):
    """One result, named by all that decides it, in the `measures` folder of any run.

    Attributes
    ----------
    name
        Its file's name: kind, hash of what decides it, and suffix, such as "w-0123456789ab.npz".
    encode, decode
        From the result to the file's content and back; `decode` may raise anything at a damaged file.
    """

    name: str
    encode: Callable[[Value], bytes]
    decode: Callable[[bytes], Value]

    def path(self, run: Run) -> Path:
        """Return the file that holds it for a run."""
        return run.path / "measures" / self.name

    def look_up(self, run: Run) -> Value | None:
        """Return the stored result; None if it is missing or damaged in any way, so that it is computed again."""
        try:
            return self.decode(self.path(run).read_bytes())
        except Exception:
            return None

    def store(self, run: Run, value: Value) -> None:
        """Keep a result. A run whose folder cannot be written is measured, but nothing is kept."""
        path = self.path(run)
        with contextlib.suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            write_whole(path, self.encode(value))

    def get(self, run: Run, compute: Callable[[], Value]) -> Value:
        """Return the stored result, or compute and keep it."""
        value = self.look_up(run)
        if value is None:
            value = compute()
            self.store(run, value)
        return value

    def steps(self, run: Run, compute: Callable[[], Iterator[Value]]) -> Iterator[Value]:
        """Yield the stored result alone, or ever better ones, of which the last is kept."""
        if (value := self.look_up(run)) is not None:
            yield value
            return
        for value in compute():
            yield value
        if value is not None:
            self.store(run, value)


def kept_json(name: str, kind: Any) -> Kept[Any]:
    """Return a result of any type that pydantic reads and writes as JSON."""
    adapter = TypeAdapter(kind)
    return Kept(f"{name}.json", adapter.dump_json, adapter.validate_json)


def kept_arrays(
    name: str, to_arrays: Callable[[Value], Mapping[str, np.ndarray]], of_arrays: Callable[[Mapping[str, Any]], Value]
) -> Kept[Value]:
    """Return a result that is stored as named arrays."""

    def encode(value: Value) -> bytes:
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **to_arrays(value))
        return file.getvalue()

    def decode(content: bytes) -> Value:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return of_arrays(dict(stored))

    return Kept(f"{name}.npz", encode, decode)
