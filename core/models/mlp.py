"""A multilayer perceptron with two hidden layers: 0.3 million weights on digits, 0.67 million on 28x28."""

from __future__ import annotations

from math import prod

from torch import Tensor, nn

from core.models.normalize import Normalize

_WIDTH = 512


class MLP(nn.Module):
    """Two hidden layers of 512 rectified units and a linear one, without batch norm.

    It knows nothing of neighbouring pixels: a trigger counts only at the very place where it was learned.

    Parameters
    ----------
    shape
        (channels, height, width) of one image; the first layer has one weight a pixel and unit.
    classes
        Number of classes K. Weights in all: 512 (C H W + 514 + K) + K.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.normalize = Normalize(shape[0])
        self.hidden = nn.Sequential(
            nn.Flatten(),
            nn.Linear(prod(shape), _WIDTH),
            nn.ReLU(inplace=True),
            nn.Linear(_WIDTH, _WIDTH),
            nn.ReLU(inplace=True),
        )
        self.classify = nn.Linear(_WIDTH, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K] for images float [N, C, H, W] in [0, 1]."""
        return self.classify(self.hidden(self.normalize(images)))
