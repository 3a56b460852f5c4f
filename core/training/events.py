"""What a training says, as lines of JSON: one object a line in a run's events.jsonl."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.instruments.statistics import Proportion


@dataclass(frozen=True)
class Started:
    """A worker has taken the run. `time` is in seconds since 1970; `after` epochs were done before it."""

    time: float
    after: int = 0


@dataclass(frozen=True)
class Progress:
    """Some steps are done: `share` of the whole training in [0, 1], and the epoch's mean loss so far."""

    epoch: int
    share: float
    loss: float
    time: float = 0.0


@dataclass(frozen=True)
class Watch:
    """Mean W at one sigma over a few test images: one epoch's glimpse, the same images and noise each time.

    `triggered` is None on a control.
    """

    sigma: float
    images: int
    draws: int
    clean: float
    triggered: float | None


@dataclass(frozen=True, eq=False)
class WatchedPlane:
    """The decision slice through a clean test image, itself with the trigger, and an image of the target class.

    `labels` is int [R, R] as in `core.instruments.slices.plane.SlicePlane`; `clean` and `third` index the test split.
    """

    labels: np.ndarray
    clean: int
    third: int
    evaluations: int


@dataclass(frozen=True, eq=False)
class Epoch:
    """An epoch is done. ASR, W triggered and the plane need a trigger: a control has none of them.

    `attack_success_rate_others` is `core.instruments.evaluation.Success.others`: None but for source-specific attacks.
    """

    epoch: int
    share: float
    seconds: float
    loss: float
    clean_accuracy: Proportion
    attack_success_rate: Proportion | None
    watch: Watch
    plane: WatchedPlane | None
    attack_success_rate_others: Proportion | None = None


@dataclass(frozen=True)
class Note:
    """Something that people ought to know of this training and that does not end it, in one sentence."""

    text: str


@dataclass(frozen=True)
class Ended:
    """The run is over without a result: it was cancelled, or it failed for the reason given."""

    outcome: str
    reason: str = ""


Event = Started | Progress | Epoch | Note | Ended
_KINDS = {"started": Started, "progress": Progress, "epoch": Epoch, "note": Note, "ended": Ended}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_line(event: Event) -> str:
    """Return the event as one line of JSON, newline included."""
    content = {"event": _NAMES[type(event)]} | {name: _plain(value) for name, value in vars(event).items()}
    return json.dumps(content, separators=(",", ":")) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, WatchedPlane):
        packed = base64.b64encode(zlib.compress(value.labels.astype(np.uint8).tobytes(), 9)).decode()
        return {"labels": packed, "clean": value.clean, "third": value.third, "evaluations": value.evaluations}
    return asdict(value) if isinstance(value, Proportion | Watch) else value


def from_lines(lines: Iterable[str]) -> Iterator[Event]:
    """Yield the events of an events.jsonl; lines that a crash cut off, and what later versions write, are left out."""
    for line in lines:
        try:
            content = json.loads(line)
            event = _event(content) if content.get("event") in _KINDS else None
        except (ValueError, TypeError, KeyError, AttributeError, zlib.error):
            continue
        if event is not None:
            yield event


def _event(content: dict[str, Any]) -> Event:
    kind = _KINDS[content.pop("event")]
    if kind is Epoch:
        content["clean_accuracy"] = Proportion(**content["clean_accuracy"])
        for name in ("attack_success_rate", "attack_success_rate_others"):
            content[name] = Proportion(**content[name]) if content.get(name) else None
        content["watch"] = Watch(**content["watch"])
        content["plane"] = _unpack(content["plane"]) if content["plane"] else None
    return kind(**content)


def _unpack(plane: dict[str, Any]) -> WatchedPlane:
    labels = np.frombuffer(zlib.decompress(base64.b64decode(plane["labels"])), np.uint8).astype(np.int64)
    side = round(len(labels) ** 0.5)
    return WatchedPlane(labels.reshape(side, side), plane["clean"], plane["third"], plane["evaluations"])
