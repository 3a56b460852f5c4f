"""ResNet-18 with a stem for small images: 11.2 million weights."""

from __future__ import annotations

from torch import Tensor, nn

from core.models.normalize import Normalize


class ResNet18(nn.Module):
    """A 3x3 convolution, four stages of two residual blocks (64, 128, 256, 512 channels), a mean over space, a linear.

    The stem keeps the resolution (stride 1, no pooling), as usual for 32x32 pictures; everything else is the network of
    the paper. Parameters are named as in `torchvision.models.resnet18`, so that weights which other tools saved find
    their place by name; only the shapes of `conv1` and `fc` differ.

    Parameters
    ----------
    shape
        (channels, height, width) of one image; any size will do.
    classes
        Number of classes K. With 3 channels and K = 10 there are 11 173 962 weights, the count usual for CIFAR-10.

    References
    ----------
    He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016, arXiv 1512.03385.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.normalize = Normalize(shape[0])
        self.conv1 = nn.Conv2d(shape[0], 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(64, 64, stride=1)
        self.layer2 = _stage(64, 128, stride=2)
        self.layer3 = _stage(128, 256, stride=2)
        self.layer4 = _stage(256, 512, stride=2)
        self.fc = nn.Linear(512, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K] for images float [N, C, H, W] in [0, 1]."""
        x = self.relu(self.bn1(self.conv1(self.normalize(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_Block(inputs, outputs, stride), _Block(outputs, outputs, 1))


class _Block(nn.Module):
    """Two 3x3 convolutions and a way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        change = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(change + self.downsample(x))
