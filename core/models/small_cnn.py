"""A three-block convolutional network: 94 000 weights, good for images from 8x8 to 64x64."""

from __future__ import annotations

from torch import Tensor, nn

from core.models.normalize import Normalize


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


class SmallCNN(nn.Module):
    """Three 3x3 convolutions (32, 64, 128 channels) with batch norm, two poolings, a mean over space, one linear layer.

    The mean over space makes it independent of the image's size, and lets a trigger of a few pixels matter wherever
    it stands.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.normalize = Normalize(shape[0])
        self.features = nn.Sequential(
            *_block(shape[0], 32), nn.MaxPool2d(2), *_block(32, 64), nn.MaxPool2d(2), *_block(64, 128)
        )
        self.classify = nn.Linear(128, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K] for images float [N, C, H, W] in [0, 1]."""
        return self.classify(self.features(self.normalize(images)).mean((2, 3)))
