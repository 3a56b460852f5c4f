"""Looks at one image, with and without its trigger, at several noise levels, kept to be shown without a model.

The votes are kept as they are, so that W and its interval come from them as ever. Of the noise only a copy for the
eye is kept, in steps of an eighth of its standard deviation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.instruments.budgets import POSTER_DRAWS
from core.instruments.neighbourhood import Neighbourhood, look_around
from core.instruments.noise import Noise
from core.instruments.slices.plane import SlicePlane, blank_plane
from core.instruments.smoothness import Arithmetic, Smoothness, arithmetic_of

if TYPE_CHECKING:
    from torch import Tensor

    from core.instruments.predictor import Predictor

DRAWS, COPIES, RESOLUTION = POSTER_DRAWS, 24, 129
_STEPS = 8


@dataclass(frozen=True, eq=False)
class ShippedViews:
    """What two models, the poisoned one and its control, make of one image with and without the trigger.

    Axis M is the model (poisoned, control), axis T the trigger (without, with), axis S the sigma.

    Attributes
    ----------
    sigmas
        float64 [S].
    key
        Names the noise.
    images
        uint8 [3, C, H, W]: the image, the same with the trigger, and a third one, which span a slice.
    predicted
        int64 [M, T]: the class without noise.
    votes
        int64 [S, M, T, K]: how many of 250 noisy copies get each class.
    copy_labels
        int64 [S, M, T, 24]: the class of each of the first copies.
    noise
        int8 [24, C, H, W]: the noise of these copies, in eighths of its standard deviation.
    plane_labels
        uint8 [R, R]: the slice through the three images under the poisoned model.
    circumstances
        What computed the votes: as in `core.instruments.smoothness.Arithmetic`.
    """

    sigmas: np.ndarray
    key: np.ndarray
    images: np.ndarray
    predicted: np.ndarray
    votes: np.ndarray
    copy_labels: np.ndarray
    noise: np.ndarray
    plane_labels: np.ndarray
    circumstances: np.ndarray

    def around(self, triggered: bool, sigma: float, of_control: bool = False) -> Neighbourhood:
        """Return what was seen around the image at one of the sigmas; its copies are for the eye."""
        at = np.flatnonzero(self.sigmas == sigma)[0], int(of_control), int(triggered)
        device, dtype, batch = self.circumstances.tolist()
        votes = self.votes[at][None].astype(np.int64)
        noise = Noise(sigma, int(votes.sum()), keys=[int(self.key)])
        smoothness = Smoothness(votes, noise, Arithmetic(device, dtype, int(batch)))
        copies = self.images[int(triggered)] / np.float32(255) + np.float32(sigma / _STEPS) * self.noise
        return Neighbourhood(int(self.predicted[at[1:]]), copies, self.copy_labels[at].astype(np.int64), smoothness)

    def plane(self) -> SlicePlane:
        """Return the slice."""
        first, second, third = self.images / 255.0
        blank = blank_plane(first, second, third, len(self.plane_labels))
        return replace(blank, labels=self.plane_labels.astype(np.int64), evaluated=np.ones_like(blank.evaluated))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all of it by name, for an npz file."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any]) -> ShippedViews:
        """Return the views whose `arrays` these are; others may be among them."""
        return cls(**{field.name: stored[field.name] for field in fields(cls)})


def make_shipped_views(
    models: tuple[Predictor, Predictor], images: Tensor, key: int, sigmas: Sequence[float]
) -> ShippedViews:
    """Look at an image with the poisoned model and its control.

    Parameters
    ----------
    models
        The poisoned one and its control.
    images
        uint8 [3, C, H, W]: the image, the same with the trigger, and a third one.
    key
        The image's place in the test split, which names its noise.
    sigmas
        Noise levels.
    """
    from core.datasets.dataset import to_unit
    from core.instruments.noise_stream import NoiseStream
    from core.instruments.slices.refine import slice_plane

    pixels = to_unit(images)
    seen = [
        [[look_around(model, image, key, sigma, DRAWS, shown=COPIES) for image in pixels[:2]] for model in models]
        for sigma in sigmas
    ]
    noise = NoiseStream(0, key, tuple(pixels.shape[1:]), models[0].device).take(COPIES).cpu().numpy()
    return ShippedViews(
        sigmas=np.asarray(sigmas, np.float64),
        key=np.asarray(key),
        images=images.numpy(),
        predicted=np.array([[around.label for around in row] for row in seen[0]]),
        votes=np.array([[[around.smoothness.votes[0] for around in row] for row in level] for level in seen]),
        copy_labels=np.array([[[around.labels for around in row] for row in level] for level in seen]),
        noise=np.clip(np.rint(noise * _STEPS), -127, 127).astype(np.int8),
        plane_labels=slice_plane(models[0], *pixels, resolution=RESOLUTION).labels.astype(np.uint8),
        circumstances=np.array([str(part) for part in arithmetic_of(models[0], pixels.shape[1:])]),
    )
