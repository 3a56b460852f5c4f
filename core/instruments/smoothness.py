"""W: the entropy of a model's predictions around an image, from votes under Gaussian noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from core.errors import InputError
from core.instruments.estimators import entropy, entropy_interval

if TYPE_CHECKING:
    from torch import Tensor

    from core.instruments.predictor import Predictor

    Model = Callable[[Tensor], Tensor] | Predictor

_FIRST_STEP = 16
_NOISE_LENGTH = 4


@dataclass(frozen=True, eq=False)
class Smoothness:
    """W of N images at one sigma, and everything needed to repeat it. Low W means smooth.

    Attributes
    ----------
    votes
        int64 [N, K]: how many of the noisy copies of each image are predicted as each class.
    sigma, draws, seed, keys, clamped
        The noise: its standard deviation in pixels of [0, 1], copies of each image, the names of the noise, and
        whether noisy pixels were cut to [0, 1].
    estimator, unit, confidence
        How `w`, `low` and `high` come from the votes; see `core.instruments.estimators`.
    device, dtype, batch
        What computed the votes.
    """

    votes: np.ndarray
    sigma: float
    draws: int
    seed: int
    keys: tuple[int, ...]
    clamped: bool
    estimator: str
    unit: str
    confidence: float
    device: str
    dtype: str
    batch: int

    @cached_property
    def w(self) -> np.ndarray:
        """W of each image, float64 [N]."""
        return entropy(self.votes, estimator=self.estimator, unit=self.unit)

    @property
    def low(self) -> np.ndarray:
        """Lower end of each image's Monte-Carlo interval, float64 [N]."""
        return self._interval[0]

    @property
    def high(self) -> np.ndarray:
        """Upper end of each image's Monte-Carlo interval, float64 [N]."""
        return self._interval[1]

    @property
    def modal_class(self) -> np.ndarray:
        """The class with most votes, int64 [N]; the lowest of equals."""
        return self.votes.argmax(1)

    @property
    def modal_share(self) -> np.ndarray:
        """Share of the draws that vote for the modal class, float64 [N]."""
        return self.votes.max(1) / self.draws

    # Asked for by few callers and by far the slowest part for many images, so computed when first read.
    @cached_property
    def _interval(self) -> tuple[np.ndarray, np.ndarray]:
        return entropy_interval(self.votes, confidence=self.confidence, unit=self.unit)


def measure_smoothness(
    model: Model,
    images: Tensor,
    sigma: float,
    draws: int = 250,
    seed: int = 0,
    *,
    keys: Sequence[int] | None = None,
    estimator: str = "corrected",
    unit: str = "normalised",
    clamp: bool = False,
    confidence: float = 0.95,
) -> Smoothness:
    """Measure W, the entropy of the predicted class under Gaussian noise, of each image.

    The votes depend on model, image, key, sigma, draws and seed only: not on the other images, their order or their
    number, nor on whether the draws were made in steps.

    Parameters
    ----------
    model
        From images [N, C, H, W] to logits [N, K], or a `Predictor`, which is used as it is.
    images
        Float [N, C, H, W], pixels in [0, 1].
    sigma
        Standard deviation of the noise, in units of the pixels, added before the model's own normalisation.
    draws
        Noisy copies of each image, at least 2.
    seed
        Names the noise, together with the keys.
    keys
        One whole number in [0, 2^32) for each image, by default 0..N-1. Images with equal keys share their noise: give
        a clean image and its triggered version the same key, and different images different ones.
    estimator, unit
        See `core.instruments.estimators.entropy`.
    clamp
        Cut noisy pixels to [0, 1].
    confidence
        Of the Monte-Carlo interval of each image.

    Raises
    ------
    InputError
        Something above is not so.

    References
    ----------
    Grosse, Lee, Biggio, Park, Backes, Molloy: Backdoor Smoothing, Computers & Security 2022, arXiv 2006.06721.
    """
    from core.instruments.predictor import as_predictor

    predictor = as_predictor(model)
    nothing = _nothing_yet(
        predictor,
        images,
        sigma=sigma,
        draws=draws,
        seed=seed,
        keys=keys,
        estimator=estimator,
        unit=unit,
        clamp=clamp,
        confidence=confidence,
    )
    return _extended(nothing, predictor, images, draws)


def measure_smoothness_steps(
    model: Model,
    images: Tensor,
    sigma: float,
    draws: int = 250,
    seed: int = 0,
    *,
    keys: Sequence[int] | None = None,
    estimator: str = "corrected",
    unit: str = "normalised",
    clamp: bool = False,
    confidence: float = 0.95,
) -> Iterator[Smoothness]:
    """Yield ever better estimates: after 16 draws, 64, 256, ... and at last what `measure_smoothness` returns."""
    from core.instruments.predictor import as_predictor

    predictor = as_predictor(model)
    nothing = _nothing_yet(
        predictor,
        images,
        sigma=sigma,
        draws=draws,
        seed=seed,
        keys=keys,
        estimator=estimator,
        unit=unit,
        clamp=clamp,
        confidence=confidence,
    )
    return _steps(nothing, predictor, images, draws)


def sweep_sigma(
    model: Model,
    images: Tensor,
    sigmas: Sequence[float],
    draws: int = 250,
    seed: int = 0,
    *,
    keys: Sequence[int] | None = None,
    estimator: str = "corrected",
    unit: str = "normalised",
    clamp: bool = False,
    confidence: float = 0.95,
) -> Iterator[Smoothness]:
    """Yield `measure_smoothness` at each sigma in turn, with the same noise, scaled."""
    from core.instruments.predictor import as_predictor

    predictor = as_predictor(model)
    for sigma in sigmas:
        _check_sigma(sigma)
    return (
        measure_smoothness(
            predictor,
            images,
            sigma,
            draws,
            seed,
            keys=keys,
            estimator=estimator,
            unit=unit,
            clamp=clamp,
            confidence=confidence,
        )
        for sigma in sigmas
    )


def suggested_sigma(shape: tuple[int, int, int]) -> float:
    """Return the sigma at which noise on an image of this shape has an expected length of 4, to two digits."""
    return float(f"{_NOISE_LENGTH / math.sqrt(math.prod(shape)):.2g}")


def _nothing_yet(
    predictor: Predictor,
    images: Tensor,
    *,
    sigma: float,
    draws: int,
    seed: int,
    keys: Sequence[int] | None,
    estimator: str,
    unit: str,
    clamp: bool,
    confidence: float,
) -> Smoothness:
    from core.instruments.predictor import check_images, check_keys

    _check_sigma(sigma)
    if draws < 2:
        raise InputError(f"{draws} draws tell nothing about uncertainty; ask for at least 2.")
    check_images(images)
    entropy([[1, 1]], estimator=estimator, unit=unit)  # so that a wrong name is told before the work, not after
    return Smoothness(
        votes=np.zeros((len(images), 0), np.int64),
        sigma=float(sigma),
        draws=0,
        seed=int(seed),
        keys=tuple(check_keys(range(len(images)) if keys is None else keys, len(images))),
        clamped=bool(clamp),
        estimator=estimator,
        unit=unit,
        confidence=confidence,
        device=str(predictor.device),
        dtype=str(predictor.dtype).removeprefix("torch."),
        batch=predictor.batch_of(images.shape[1:]),
    )


def _check_sigma(sigma: float) -> None:
    if not (math.isfinite(sigma) and sigma > 0):
        raise InputError(f"Sigma is {sigma}; it must be a finite number above 0, in units of pixels in [0, 1].")


def _steps(result: Smoothness, predictor: Predictor, images: Tensor, draws: int) -> Iterator[Smoothness]:
    while result.draws < draws:
        result = _extended(result, predictor, images, min(draws, 4 * result.draws or _FIRST_STEP))
        yield result


def _extended(result: Smoothness, predictor: Predictor, images: Tensor, draws: int) -> Smoothness:
    more = predictor.votes(
        images, result.keys, result.sigma, draws - result.draws, result.seed, first=result.draws, clamp=result.clamped
    )
    return replace(result, votes=more.numpy() + (result.votes if result.draws else 0), draws=draws)
