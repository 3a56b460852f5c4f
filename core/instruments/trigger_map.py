"""Where a trigger works: ASR and W of one trained model over the trigger's place, and over its opacity and size.

Nothing is trained anew: each point of a map is the same model and the same test images under a variant of the trigger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.attacks.triggers import Trigger
from core.attacks.triggers.placing import faded, largest_side, moved, possible_sizes, resized
from core.instruments.budgets import TRIGGER_MAP
from core.instruments.coarse_to_fine import coarse_grid, nearest_measured

if TYPE_CHECKING:
    from torch import Tensor

    from core.instruments.predictor import Predictor

Shape = tuple[int, int, int]

# ASR of so many images, W of the first few of them, and at most so many points: what people will wait for.
MAP_IMAGES, MOST_POINTS = 64, 260
MAP_W_IMAGES, MAP_DRAWS = TRIGGER_MAP
OPACITIES = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
_SCALES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)
_PART = 12


@dataclass(frozen=True, eq=False)
class TriggerMap:
    """What one model makes of variants of one trigger, at the points of a grid.

    Attributes
    ----------
    rows, columns
        float64 [R] and [C], ascending: the two quantities that are varied.
    asr
        float64 [R, C]: the share of the images that is taken for what the attacker wants, without noise.
    w
        float64 [R, C]: mean W of the images that W is measured on.
    measured
        bool [R, C]: where the model was asked; elsewhere the values are those of the nearest such point.
    images, w_images, draws, sigma, seed
        How many images each share and each mean is made of, and the noise.
    """

    rows: np.ndarray
    columns: np.ndarray
    asr: np.ndarray
    w: np.ndarray
    measured: np.ndarray
    images: int
    w_images: int
    draws: int
    sigma: float
    seed: int

    @property
    def share_done(self) -> float:
        """Measured points / all points."""
        return float(self.measured.mean())


@dataclass(frozen=True, eq=False)
class Probe:
    """What a trigger is tried on: one model, some test images, and the noise.

    Attributes
    ----------
    predictor, images, keys
        The model; float [N, C, H, W] in [0, 1]; and N whole numbers that name the images' noise: their places in the
        test split.
    goals
        int64 [N], the class that the attacker wants each image to be taken for.
    sigma, seed
        The noise.
    w_images, draws
        W is the mean over the first so many images, from so many draws each.
    """

    predictor: Predictor
    images: Tensor
    keys: Sequence[int]
    goals: np.ndarray
    sigma: float
    seed: int = 0
    w_images: int = MAP_W_IMAGES
    draws: int = MAP_DRAWS

    @property
    def shape(self) -> Shape:
        """Channels, height and width of the images."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def ask(self, trigger: Trigger) -> tuple[float, float]:
        """Return ASR and mean W with this trigger on the images."""
        from core.instruments.smoothness import measure_smoothness

        stamped = trigger.apply(self.images)
        some = slice(None, self.w_images)
        smoothness = measure_smoothness(
            self.predictor, stamped[some], self.sigma, self.draws, self.seed, keys=self.keys[some]
        )
        hits = self.predictor.labels(stamped).numpy() == self.goals
        return float(hits.mean()), float(smoothness.w.mean())


def sides_to_try(trigger: Trigger, shape: Shape) -> list[int]:
    """Return the sizes of a map over opacity and size, ascending, the trigger's own among them."""
    longer, most = max(trigger.height, trigger.width), largest_side(trigger, shape)
    wanted = {min(most, max(1, round(longer * scale))) for scale in _SCALES}
    return sorted(wanted & possible_sizes(trigger, shape).keys())


def place_map(probe: Probe, trigger: Trigger) -> Iterator[TriggerMap]:
    """Yield ASR and W over the place of the trigger's upper left corner (rows: top, columns: left), coarse to fine.

    On large images every second or third place is tried at the end; the trigger's own is always among them.
    """
    shape = probe.shape
    trigger.check_fits(shape)
    rows, columns = shape[1] - trigger.height + 1, shape[2] - trigger.width + 1
    step = 1
    while -(-rows // step) * -(-columns // step) > MOST_POINTS:
        step += 1
    tops, lefts = _axis(rows, step, trigger.top), _axis(columns, step, trigger.left)
    return _fill(probe, tops, lefts, lambda top, left: moved(trigger, shape, int(top), int(left)))


def strength_map(probe: Probe, trigger: Trigger) -> Iterator[TriggerMap]:
    """Yield ASR and W over the trigger's size (rows: longer edge in pixels) and opacity (columns), coarse to fine.

    The picture keeps its centre as far as the image has room. Full opacity is the trigger as it is.
    """
    shape = probe.shape
    trigger.check_fits(shape)
    sides = np.array(sides_to_try(trigger, shape), float)
    opacities = np.array(OPACITIES)
    return _fill(probe, sides, opacities, lambda side, opacity: faded(resized(trigger, shape, int(side)), opacity))


def _fill(
    probe: Probe, rows: np.ndarray, columns: np.ndarray, variant: Callable[[float, float], Trigger]
) -> Iterator[TriggerMap]:
    """Ask at every eighth point of both axes, then at every fourth, second and at each; yield after every few."""
    asr, w = (np.zeros((len(rows), len(columns))) for _ in range(2))
    measured = np.zeros(asr.shape, bool)
    for stride in (8, 4, 2, 1):
        wanted = coarse_grid(asr.shape, stride) & ~measured
        for number, (row, column) in enumerate(np.argwhere(wanted), start=1):
            asr[row, column], w[row, column] = probe.ask(variant(float(rows[row]), float(columns[column])))
            measured[row, column] = True
            if number % _PART == 0:
                yield _seen(probe, rows, columns, asr, w, measured)
        yield _seen(probe, rows, columns, asr, w, measured)
        if measured.all():
            return


def _seen(
    probe: Probe, rows: np.ndarray, columns: np.ndarray, asr: np.ndarray, w: np.ndarray, measured: np.ndarray
) -> TriggerMap:
    nearest = nearest_measured(measured)
    images = len(probe.images)
    return TriggerMap(
        rows,
        columns,
        asr[nearest],
        w[nearest],
        measured.copy(),
        images=images,
        w_images=min(images, probe.w_images),
        draws=probe.draws,
        sigma=probe.sigma,
        seed=probe.seed,
    )


def _axis(count: int, step: int, own: int) -> np.ndarray:
    return np.union1d(np.arange(0, count, step), [own, count - 1]).astype(float)
