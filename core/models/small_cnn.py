"""A three-block convolutional network, small or tiny, good for images from 8x8 to 64x64."""

from __future__ import annotations

from torch import Tensor, nn

from core.models.normalize import Normalize


def _convolve(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)]


class SmallCNN(nn.Module):
    """Three 3x3 convolutions with batch norm, two poolings, a mean over space, one linear layer.

    The mean over space makes it independent of the image's size, and lets a trigger of a few pixels matter wherever
    it stands.

    Parameters
    ----------
    shape
        (channels, height, width) of one image; only the channels matter.
    classes
        Number of classes K.
    widths
        Channels of the three convolutions: 94 000 weights in all as they stand, 24 000 at half as many each.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int, widths: tuple[int, int, int] = (32, 64, 128)) -> None:
        super().__init__()
        self.normalize = Normalize(shape[0])
        first, second, third = widths
        # A maximum of rectified numbers is the rectified maximum, to the bit, and there are a quarter as many of them.
        self.features = nn.Sequential(
            *_convolve(shape[0], first), nn.MaxPool2d(2), nn.ReLU(inplace=True),
            *_convolve(first, second), nn.MaxPool2d(2), nn.ReLU(inplace=True),
            *_convolve(second, third), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.classify = nn.Linear(third, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K] for images float [N, C, H, W] in [0, 1]."""
        features = self.features(self.normalize(images))
        # As rows of channels: the gradient of a mean over the last two dimensions would slow the layer below.
        return self.classify(features.permute(0, 2, 3, 1).flatten(1, 2).mean(1))


class TinyCNN(SmallCNN):
    """The small CNN with half of its channels: 24 000 weights."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(shape, classes, widths=(16, 32, 64))
