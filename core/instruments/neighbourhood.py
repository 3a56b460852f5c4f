"""What a model answers around one image: noisy copies, the class each gets, and W counted from just such copies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.instruments.budgets import CERTIFICATE_DRAWS, PAGE
from core.instruments.certificate import Certificate, certify
from core.instruments.noise import Noise
from core.instruments.smoothness import Smoothness, arithmetic_of, measure

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
    """Return the last of `neighbourhood_steps`, which takes the same arguments."""
    *_, last = neighbourhood_steps(predictor, image, key, sigma, draws, seed, shown)
    return last


def neighbourhood_steps(
    predictor: Predictor, image: Tensor, key: int, sigma: float, draws: int = PAGE.draws, seed: int = 0, shown: int = 24
) -> Iterator[Neighbourhood]:
    """Look at one image, float [C, H, W], at one sigma: first as quickly as the model can, then with all draws.

    A batch of the model costs the same however much of it is used: the first look asks it about the image and as many
    of the draws as fill one batch. The last one is `measure_smoothness` of all draws.

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
    import torch

    noise = Noise(sigma, draws, seed, [key])
    first = min(draws, max(predictor.batch_of(image.shape) - 1, shown))
    copies = _copies(predictor, image, noise, first)
    logits = predictor.logits(torch.cat([image[None], copies]))
    (label, *labels), classes = logits.argmax(1).tolist(), logits.shape[1]
    votes = np.bincount(labels, minlength=classes)[None]
    counted = Smoothness(votes, noise.part(0, first), arithmetic_of(predictor, image.shape))
    look = Neighbourhood(label, copies[:shown].numpy(), np.array(labels[:shown]), counted)
    yield look
    if first < draws:
        yield replace(look, smoothness=counted + measure(predictor, image[None], noise.part(first, draws)))


def noisy_copies(
    predictor: Predictor, image: Tensor, key: int, sigma: float, seed: int = 0, shown: int = 24
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of the noisy copies that W of an image is counted from, and the class that each gets.

    Arguments as in `look_around`; float32 [shown, C, H, W], whose pixels may leave [0, 1], and int64 [shown].
    """
    copies = _copies(predictor, image, Noise(sigma, shown, seed, [key]), shown)
    return copies.numpy(), predictor.labels(copies).numpy()


def _copies(predictor: Predictor, image: Tensor, noise: Noise, count: int) -> Tensor:
    """The first of an image's noisy copies, float32 [count, C, H, W] on the CPU."""
    import torch

    from core.instruments.noise_stream import NoiseStream

    (key,) = noise.keys_of(1)
    drawn = NoiseStream(noise.seed, key, tuple(image.shape), predictor.device).take(count).cpu()
    return torch.add(image[None], drawn, alpha=noise.sigma)  # as the votes are counted, to the last bit


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
