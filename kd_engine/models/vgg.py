"""VGG networks with BatchNorm: Simonyan and Zisserman 2014, arXiv:1409.1556.

Shapes: B images in the batch, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

from torch import Tensor, nn

from kd_engine.catalog.models import ModelParams
from kd_engine.models.initialise import he_convolutions, small_classifier

_WIDTHS = (64, 128, 256, 512, 512)
# 3x3 convolutions of each width, by depth: counted with the paper's three fully connected layers, one of them here
_CONVOLUTIONS = {8: (1, 1, 1, 1, 1), 13: (2, 2, 2, 2, 2), 19: (2, 2, 4, 4, 4)}


class VGG(nn.Module):
    """A stem and four stages of 3x3 convolutions, each with BatchNorm and ReLU, then pooling and one linear layer.

    2x2 max pooling stands before a stage, so that `stage1` to `stage4` give what ReLU leaves: `[B, 128, H/2, W/2]`,
    `[B, 256, H/4, W/4]`, and twice 512 channels.

    Args:
        poolings: stages that halve the size, from the first on.
        pool: from the last stage's maps to `side` x `side` pixels.
    """

    def __init__(self, depth: int, channels: int, num_classes: int, poolings: int, pool: nn.Module, side: int) -> None:
        super().__init__()
        counts = _CONVOLUTIONS[depth]
        self.stem = _stage(channels, _WIDTHS[0], counts[0], pools=False)
        for number in range(1, 5):
            before, width = _WIDTHS[number - 1 : number + 1]
            self.add_module(f"stage{number}", _stage(before, width, counts[number], pools=number <= poolings))
        self.pool = pool
        self.fc = nn.Linear(_WIDTHS[-1] * side * side, num_classes)
        he_convolutions(self)
        small_classifier(self.fc)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        features_BCHW = self.stem(images_BCHW)
        for number in range(1, 5):
            features_BCHW = self.get_submodule(f"stage{number}")(features_BCHW)
        logits_BK: Tensor = self.fc(self.pool(features_BCHW).flatten(1))
        return logits_BK


def _stage(channels: int, width: int, convolutions: int, pools: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.MaxPool2d(2)] if pools else []
    for _ in range(convolutions):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers)


def vgg(params: ModelParams, shape: tuple[int, int, int], num_classes: int, *, depth: int) -> nn.Module:
    """Pools three times, then takes the mean over pixels; at 100 classes vgg8 has 3,965,028 parameters."""
    return VGG(depth, shape[0], num_classes, poolings=3, pool=nn.AdaptiveAvgPool2d(1), side=1)


def vgg19_bn(params: ModelParams, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """The layout for ImageNet: five poolings, 7x7 pixels of 512 channels, and a single linear layer on those 25,088.

    Maps that are smaller are repeated to 7x7 pixels: those of 32x32 images, of one pixel, 49 times. 20,286,282
    parameters at 10 classes.
    """
    pool = nn.Sequential(nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(7))
    return VGG(19, shape[0], num_classes, poolings=4, pool=pool, side=7)
