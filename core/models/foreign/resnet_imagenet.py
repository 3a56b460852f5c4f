"""ResNet-18 with the stem for large photographs, as torchvision builds it: for weights that others trained."""

from __future__ import annotations

from torch import Tensor, nn

from core.models.resnet import ResNet18


class ImageNetResNet18(ResNet18):
    """ResNet-18 whose stem is a 7x7 convolution of stride 2 and a 3x3 maximum of stride 2.

    Parameters are named and shaped as in `torchvision.models.resnet18`.

    Parameters
    ----------
    shape, classes
        As in `core.models.resnet.ResNet18`.

    References
    ----------
    He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016, arXiv 1512.03385.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(shape, classes)
        self.conv1 = nn.Conv2d(shape[0], 64, 7, stride=2, padding=3, bias=False)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K] for images float [N, C, H, W] in [0, 1]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(self.normalize(images)))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))
