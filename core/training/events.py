"""What happens in a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.instruments.statistics import Estimate


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
    clean_accuracy: Estimate
    attack_success_rate: Estimate | None
    watch: Watch
    plane: WatchedPlane | None
    attack_success_rate_others: Estimate | None = None


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


def remaining_seconds(events: Sequence[Event], now: float) -> float | None:
    """Estimate how long a running training will still take; None before anything is known.

    What an earlier attempt did before it was stopped counts as done, and its time does not count.
    """
    starts = [place for place, event in enumerate(events) if isinstance(event, Started)]
    if not starts:
        return None
    started = events[starts[-1]]
    assert isinstance(started, Started)
    before, since = ([_share(event) for event in attempt] for attempt in (events[: starts[-1]], events[starts[-1] :]))
    done = max(before, default=0.0)
    gained = max(since) - done
    return max(0.0, (now - started.time) * (1 - done - gained) / gained) if gained > 0 else None


def _share(event: Event) -> float:
    return event.share if isinstance(event, Progress | Epoch) else 0.0
