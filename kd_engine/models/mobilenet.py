"""MobileNetV2, Sandler et al. 2018, arXiv:1801.04381, as the literature on distillation has it for CIFAR.

It differs from the paper's in ReLU for ReLU6, in strides that suit 32x32 pixels, and in a first block that has its
pointwise convolution although it does not expand.

Shapes: B images in the batch, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import relu

from kd_engine.catalog.models.cifar import MobileNetV2Params
from kd_engine.models.initialise import he_convolutions, small_classifier

_EXPANSION = 6
_LAST = 1280
# stage, expansion, channels at width 1, blocks, stride of the first: table 2 of the paper, strides for CIFAR
_BLOCKS = (
    (1, 1, 16, 1, 1),
    (1, _EXPANSION, 24, 2, 1),
    (2, _EXPANSION, 32, 3, 2),
    (3, _EXPANSION, 64, 4, 2),
    (3, _EXPANSION, 96, 3, 1),
    (4, _EXPANSION, 160, 3, 2),
    (4, _EXPANSION, 320, 1, 1),
)


class MobileNetV2(nn.Module):
    """A stem of stride 2, four stages of inverted residuals, a 1x1 convolution, mean over pixels, one layer.

    At width .5 `stage1` to `stage4` give 12, 16, 48 and 160 channels of 1/2, 1/4, 1/8 and 1/16 of the size.
    """

    def __init__(self, width: float, channels: int, num_classes: int) -> None:
        super().__init__()
        before = int(32 * width)
        self.stem = nn.Sequential(*_convolution(channels, before, 3, stride=2), nn.ReLU(inplace=True))
        stages: dict[int, list[nn.Module]] = {}
        for stage, expansion, wide, blocks, stride in _BLOCKS:
            after = int(wide * width)
            for position in range(blocks):
                block = InvertedResidual(before, after, stride if position == 0 else 1, expansion)
                stages.setdefault(stage, []).append(block)
                before = after
        self.stage1, self.stage2, self.stage3, self.stage4 = (nn.Sequential(*blocks) for blocks in stages.values())
        last = max(_LAST, int(_LAST * width))
        self.last = nn.Sequential(*_convolution(before, last, 1), nn.ReLU(inplace=True))
        self.fc = nn.Linear(last, num_classes)
        he_convolutions(self)
        small_classifier(self.fc)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        features_BCHW = self.stage4(self.stage3(self.stage2(self.stage1(self.stem(images_BCHW)))))
        logits_BK: Tensor = self.fc(self.last(features_BCHW).mean(dim=(2, 3)))
        return logits_BK


class InvertedResidual(nn.Module):
    """1x1 convolution that expands, 3x3 one on each channel by itself, 1x1 one that narrows; added to the input
    where the shape stays."""

    def __init__(self, channels: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        self.expand = nn.Sequential(*_convolution(channels, inner, 1))
        self.depthwise = nn.Sequential(*_convolution(inner, inner, 3, stride, groups=inner))
        self.project = nn.Sequential(*_convolution(inner, width, 1))
        self.adds = stride == 1 and channels == width

    def forward(self, input_BCHW: Tensor) -> Tensor:
        branch_BCHW: Tensor = self.project(relu(self.depthwise(relu(self.expand(input_BCHW)))))
        return input_BCHW + branch_BCHW if self.adds else branch_BCHW


def _convolution(channels: int, width: int, size: int, stride: int = 1, groups: int = 1) -> tuple[nn.Module, nn.Module]:
    convolution = nn.Conv2d(channels, width, size, stride, padding=size // 2, groups=groups, bias=False)
    return convolution, nn.BatchNorm2d(width)


def mobilenetv2(params: MobileNetV2Params, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """812,836 parameters at width .5 and 100 classes."""
    return MobileNetV2(params.width, shape[0], num_classes)
