"""PSBD: clean answers shift when hidden units are dropped, a trigger's answer shifts less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from core.errors import InputError
from core.instruments.detectors.features import answers_of, as_network

RATES = tuple(round(0.1 * step, 1) for step in range(1, 10))
_PASSES = 3
# The paper takes a dropout rate at which at least this share of clean validation answers shift.
_SHIFTED = 0.8


@dataclass(frozen=True, eq=False)
class HiddenDropout:
    """A model prepared for PSBD: its copy, the layers whose inputs are dropped, and the dropout rate.

    Attributes
    ----------
    network, layers
        A frozen copy of the model and its convolutions and linear layers but the first, which reads pixels.
    rate
        Share of hidden values that are set to zero.
    shifted
        Share of the clean images' answers that shift at this rate.
    seed
        Decides which values.
    """

    network: nn.Module
    layers: tuple[nn.Module, ...]
    rate: float
    shifted: float
    seed: int

    @classmethod
    def prepare(cls, model: Callable[[Tensor], Tensor], clean: Tensor, seed: int = 0) -> HiddenDropout:
        """Choose the smallest of the rates 0.1 to 0.9 that shifts 8 of 10 answers to clean images, else the most.

        Parameters
        ----------
        model
            A module; copied, never changed.
        clean
            Float [N, C, H, W] in [0, 1]: clean images that the defender keeps for this. No labels are needed.
        seed
            Decides which values are dropped.

        Raises
        ------
        InputError
            The model is no module, or has one layer only.
        """
        network = as_network(model)
        layers = tuple(part for part in network.modules() if isinstance(part, nn.Conv2d | nn.Linear))[1:]
        if not layers:
            raise InputError("Dropout needs hidden values, and this model has one layer only: use another detector.")
        best = None
        for rate in RATES:
            found = cls(network, layers, rate, 0.0, seed)
            found = cls(network, layers, rate, found._shift_of(clean), seed)
            if best is None or found.shifted > best.shifted:
                best = found
            if best.shifted >= _SHIFTED:
                break
        assert best is not None  # there are rates
        return best

    def scores(self, images: Tensor) -> np.ndarray:
        """Return minus the prediction shift uncertainty (PSU) of each image, float64 [N].

        PSU is the probability of the image's own class less its mean over passes with dropout. The same values are
        dropped for every image, and the network sees batches of one fixed shape, so an image scores the same in
        whatever company it comes.

        References
        ----------
        Li, Chen, Liu, Wang: PSBD, CVPR 2025, arXiv 2406.05826.
        """
        plain = self._probabilities(images, None)
        own = plain.argmax(1, keepdim=True)
        dropped = torch.stack([self._probabilities(images, number) for number in range(_PASSES)]).mean(0)
        return (dropped - plain).gather(1, own)[:, 0].numpy()

    def _shift_of(self, images: Tensor) -> float:
        own = self._probabilities(images, None).argmax(1)
        passes = [self._probabilities(images, number).argmax(1) != own for number in range(_PASSES)]
        return float(torch.stack(passes).double().mean())

    def _probabilities(self, images: Tensor, number: int | None) -> Tensor:
        """Return the softmax, float64 [N, K], without dropout or in one of the passes with it."""
        hooks = [] if number is None else self._hooks(number)
        try:
            return torch.cat([logits.double().softmax(1).cpu() for logits in answers_of(self.network, images)])
        finally:
            for hook in hooks:
                hook.remove()

    def _hooks(self, number: int) -> list[RemovableHandle]:
        generator = torch.Generator()

        def begin(*_: object) -> None:
            generator.manual_seed(1000 * self.seed + number)  # every batch of a pass drops the same values

        def drop(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            kept = torch.rand(inputs[0].shape[1:], generator=generator) >= self.rate
            return (inputs[0] * kept.to(inputs[0].device) / (1 - self.rate), *inputs[1:])

        return [
            self.network.register_forward_pre_hook(begin),
            *(layer.register_forward_pre_hook(drop) for layer in self.layers),
        ]
