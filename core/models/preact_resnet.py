"""Pre-activation ResNet-18 with a stem for small images: 11.2 million weights."""

from __future__ import annotations

from torch import Tensor, nn

from core.models.normalize import Normalize


class PreActResNet18(nn.Module):
    """ResNet-18 whose blocks normalise and rectify before they convolve, so that the way around them stays untouched.

    BackdoorBench's default network: where a block changes the shape, the way around it starts after
    the first batch norm, and there is none after the last block. Parameters are named as there (`conv1`,
    `layer1.0.bn1`, `layer2.0.shortcut.0`, `linear`), so that weights which other tools saved find their place by name.

    Parameters
    ----------
    shape
        (channels, height, width) of one image; any size will do.
    classes
        Number of classes K. With 3 channels and K = 10 there are 11 171 146 weights.

    References
    ----------
    He, Zhang, Ren, Sun: Identity Mappings in Deep Residual Networks, ECCV 2016, arXiv 1603.05027.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.normalize = Normalize(shape[0])
        self.conv1 = nn.Conv2d(shape[0], 64, 3, padding=1, bias=False)
        self.layer1 = _stage(64, 64, stride=1)
        self.layer2 = _stage(64, 128, stride=2)
        self.layer3 = _stage(128, 256, stride=2)
        self.layer4 = _stage(256, 512, stride=2)
        self.linear = nn.Linear(512, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K] for images float [N, C, H, W] in [0, 1]."""
        x = self.conv1(self.normalize(images))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(x.mean((2, 3)))


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_Block(inputs, outputs, stride), _Block(outputs, outputs, 1))


class _Block(nn.Module):
    """Twice batch norm, ReLU and a 3x3 convolution, and a way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.reshapes = stride != 1 or inputs != outputs
        if self.reshapes:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        activated = self.relu(self.bn1(x))
        around = self.shortcut(activated) if self.reshapes else x
        return around + self.conv2(self.relu(self.bn2(self.conv1(activated))))
