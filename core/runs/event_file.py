"""A run's events.jsonl: what happened in its training, one JSON object a line.

What is read is checked: a line that a crash cut off, that is damaged, or that a later version wrote, is left out.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import isqrt
from typing import Annotated, Any, BinaryIO

import numpy as np
from pydantic import (
    AfterValidator,
    Discriminator,
    PlainValidator,
    PositiveInt,
    Tag,
    TypeAdapter,
    ValidationError,
)

from core.instruments.statistics import Estimate
from core.runs.result import StoredShare
from core.training.events import Ended, Epoch, Event, Note, Progress, Started, Watch, WatchedPlane

NAME = "events.jsonl"
# The line of an epoch has some 10 kB; a longer one than this is no event.
LONGEST_LINE = 1 << 20
# Points a side of a watched plane: whatever a line says, no more is unpacked.
LARGEST_PLANE = 1024

_NAMES: dict[type, str] = {Started: "started", Progress: "progress", Epoch: "epoch", Note: "note", Ended: "ended"}


def to_line(event: Event) -> str:
    """Return the event as one line of JSON, newline included."""
    content = {"event": _NAMES[type(event)]} | {field: _plain(value) for field, value in vars(event).items()}
    return json.dumps(content, separators=(",", ":")) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, WatchedPlane):
        packed = base64.b64encode(zlib.compress(value.labels.astype(np.uint8).tobytes(), 9)).decode()
        return {"labels": packed, "clean": value.clean, "third": value.third, "evaluations": value.evaluations}
    return asdict(value) if isinstance(value, Estimate | Watch) else value


def read_events(file: BinaryIO) -> Iterator[Event]:
    """Yield the events of an events.jsonl that was opened in binary."""
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            _skip_line(file)
            continue
        try:
            yield _EVENT.validate_json(line, strict=True)
        except ValidationError:
            continue


def _skip_line(file: BinaryIO) -> None:
    while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
        pass


def _unpack(content: Any) -> WatchedPlane:
    """Return the plane that `_plain` packed; ValueError for anything else."""
    try:
        packed = base64.b64decode(content["labels"], validate=True)
        places = [content[field] for field in ("clean", "third", "evaluations")]
        unpacker = zlib.decompressobj()
        labels = unpacker.decompress(packed, LARGEST_PLANE**2 + 1)
    except (TypeError, KeyError, zlib.error) as error:
        raise ValueError("not a packed plane") from error
    side = isqrt(len(labels))
    if not unpacker.eof or side**2 != len(labels) or side > LARGEST_PLANE or any(type(at) is not int for at in places):
        raise ValueError("not a packed plane")
    return WatchedPlane(np.frombuffer(labels, np.uint8).astype(np.int64).reshape(side, side), *places)


@dataclass(frozen=True, eq=False)
class _StoredEpoch(Epoch):
    """An epoch whose fields are checked."""

    epoch: PositiveInt
    clean_accuracy: StoredShare
    attack_success_rate: StoredShare | None
    plane: Annotated[WatchedPlane, PlainValidator(_unpack)] | None
    attack_success_rate_others: StoredShare | None = None


def _named_kind(content: Any) -> str:
    return str(content.get("event")) if isinstance(content, dict) else ""


def _checked(event: Event) -> Event:
    if isinstance(event, Progress | Epoch) and not 0 <= event.share <= 1:
        raise ValueError("a share of the training lies between 0 and 1")
    return Epoch(**vars(event)) if isinstance(event, _StoredEpoch) else event


_EVENT: TypeAdapter[Event] = TypeAdapter(
    Annotated[
        Annotated[Started, Tag("started")]
        | Annotated[Progress, Tag("progress")]
        | Annotated[_StoredEpoch, Tag("epoch")]
        | Annotated[Note, Tag("note")]
        | Annotated[Ended, Tag("ended")],
        Discriminator(_named_kind),
        AfterValidator(_checked),
    ]
)
