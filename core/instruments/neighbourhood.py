"""What a model answers around one image: noisy copies, the class each gets, and W counted from just such copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.instruments.budgets import CERTIFICATE_DRAWS, PAGE
from core.instruments.certificate import Certificate, certify
from core.instruments.noise import Noise
from core.instruments.smoothness import Smoothness, measure_smoothness

if TYPE_CHECKING:
    from torch import Tensor

    from core.instruments.predictor import Predictor


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """One image and its noisy copies under one model.

    Attributes
    ----------
    label
        The class predicted without noise.
    copies
        float32 [M, C, H, W]: the first M of the noisy copies that were counted. Pixels may leave [0, 1].
    labels
        int64 [M], the class that each of these copies gets.
    smoothness
        W of this one image, from all its draws.
    """

    label: int
    copies: np.ndarray
    labels: np.ndarray
    smoothness: Smoothness


def look_around(
    predictor: Predictor, image: Tensor, key: int, sigma: float, draws: int = PAGE.draws, seed: int = 0, shown: int = 24
) -> Neighbourhood:
    """Look at one image, float [C, H, W], at one sigma.

    Parameters
    ----------
    predictor
        The model.
    image
        Pixels in [0, 1].
    key
        Names the image's noise: its place in the data set. The same image with a trigger gets the same key.
    sigma, draws, seed
        As in `core.instruments.smoothness.measure_smoothness`.
    shown
        How many of the draws come back as pictures.
    """
    smoothness = measure_smoothness(predictor, image[None], sigma=sigma, draws=draws, seed=seed, keys=[key])
    copies, labels = noisy_copies(predictor, image, key, sigma, seed, shown)
    return Neighbourhood(int(predictor.labels(image[None])[0]), copies, labels, smoothness)


def noisy_copies(
    predictor: Predictor, image: Tensor, key: int, sigma: float, seed: int = 0, shown: int = 24
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of the noisy copies that W of an image is counted from, and the class that each gets.

    Arguments as in `look_around`; float32 [shown, C, H, W], whose pixels may leave [0, 1], and int64 [shown].
    """
    from core.instruments.noise_stream import NoiseStream

    noise = NoiseStream(seed, key, tuple(image.shape), predictor.device).take(shown).cpu()
    copies = image[None] + sigma * noise
    return copies.numpy(), predictor.labels(copies).numpy()


def certified_radius(
    predictor: Predictor,
    image: Tensor,
    key: int,
    sigma: float,
    draws: int = CERTIFICATE_DRAWS,
    seed: int = 0,
    alpha: float = 0.001,
) -> Certificate:
    """Return the randomised-smoothing certificate of one image, float [C, H, W], from a fixed number of draws.

    The first tenth of the draws chooses the class, the rest bounds its probability; the noise is not clamped
    (Cohen et al. 2019). See `core.instruments.certificate.certify`.
    """
    tenth = draws // 10
    noise = Noise(sigma, draws, seed, [key])
    selection = predictor.votes(image[None], noise.part(0, tenth))
    estimation = predictor.votes(image[None], noise.part(tenth, draws))
    return certify(selection.numpy(), estimation.numpy(), sigma, alpha)
