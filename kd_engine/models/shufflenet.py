"""ShuffleNet, Zhang et al. 2017, arXiv:1707.01083, and ShuffleNetV2, Ma et al. 2018, arXiv:1807.11164, for CIFAR.

As the literature on distillation has them: a 1x1 stem without pooling, and in V1 a ReLU after the depthwise
convolution, which the paper leaves out.

Shapes: B images in the batch, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, channel_shuffle, relu

from kd_engine.catalog.models import ModelParams

_STEM = 24
_BLOCKS = (4, 8, 4)
_V1_GROUPS = 3
_V1_WIDTHS = (240, 480, 960)
_V2_WIDTHS = (116, 232, 464)
_V2_LAST = 1024


class _ShuffleNet(nn.Module):
    """Stem, three stages that halve the size, mean over pixels, one layer."""

    def __init__(
        self, channels: int, stages: list[nn.Sequential], last: nn.Module, width: int, num_classes: int
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_convolution(channels, _STEM, 1), nn.ReLU(inplace=True))
        self.stage1, self.stage2, self.stage3 = stages
        self.last = last
        self.fc = nn.Linear(width, num_classes)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        features_BCHW = self.stage3(self.stage2(self.stage1(self.stem(images_BCHW))))
        logits_BK: Tensor = self.fc(self.last(features_BCHW).mean(dim=(2, 3)))
        return logits_BK


class ShuffleNetV1(_ShuffleNet):
    """`stage1` to `stage3` give 240, 480 and 960 channels of 1/2, 1/4 and 1/8 of the size, after ReLU."""

    def __init__(self, channels: int, num_classes: int) -> None:
        stages, before = [], _STEM
        for width, blocks in zip(_V1_WIDTHS, _BLOCKS, strict=True):
            # channels are too few to be grouped in the first convolution of all
            first = GroupedBlock(before, width, 1 if before == _STEM else _V1_GROUPS, halves=True)
            rest = (GroupedBlock(width, width, _V1_GROUPS, halves=False) for _ in range(blocks - 1))
            stages.append(nn.Sequential(first, *rest))
            before = width
        super().__init__(channels, stages, nn.Identity(), before, num_classes)


class GroupedBlock(nn.Module):
    """1x1 convolution in groups, shuffle, 3x3 depthwise, 1x1 in groups, joined to the input and activated.

    Joined by addition; where the size is halved, by concatenation to the average-pooled input.
    """

    def __init__(self, channels: int, width: int, groups: int, halves: bool) -> None:
        super().__init__()
        own = width - channels if halves else width
        inner = own // 4
        self.groups, self.halves = groups, halves
        self.reduce = nn.Sequential(*_convolution(channels, inner, 1, groups=groups))
        self.depthwise = nn.Sequential(*_convolution(inner, inner, 3, stride=2 if halves else 1, groups=inner))
        self.expand = nn.Sequential(*_convolution(inner, own, 1, groups=_V1_GROUPS))

    def forward(self, input_BCHW: Tensor) -> Tensor:
        inner_BCHW = _shuffle(relu(self.reduce(input_BCHW)), self.groups)
        branch_BCHW: Tensor = self.expand(relu(self.depthwise(inner_BCHW)))
        if not self.halves:
            return relu(branch_BCHW + input_BCHW)
        pooled_BCHW = avg_pool2d(input_BCHW, 3, stride=2, padding=1)
        return relu(torch.cat((branch_BCHW, pooled_BCHW), dim=1))


class ShuffleNetV2(_ShuffleNet):
    """`stage1` to `stage3` give 116, 232 and 464 channels of 1/2, 1/4 and 1/8 of the size."""

    def __init__(self, channels: int, num_classes: int) -> None:
        stages, before = [], _STEM
        for width, blocks in zip(_V2_WIDTHS, _BLOCKS, strict=True):
            stages.append(nn.Sequential(HalvingBlock(before, width), *(SplitBlock(width) for _ in range(blocks - 1))))
            before = width
        last = nn.Sequential(*_convolution(before, _V2_LAST, 1), nn.ReLU(inplace=True))
        super().__init__(channels, stages, last, _V2_LAST, num_classes)


class SplitBlock(nn.Module):
    """Half of the channels pass unchanged, the others through 1x1, depthwise 3x3 and 1x1; then all are shuffled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = _branch(width // 2, width // 2, stride=1)

    def forward(self, input_BCHW: Tensor) -> Tensor:
        kept_BCHW, input_BCHW = input_BCHW.chunk(2, dim=1)
        return _shuffle(torch.cat((kept_BCHW, self.branch(input_BCHW)), dim=1), 2)


class HalvingBlock(nn.Module):
    """Two branches of the whole input, both of stride 2, side by side and shuffled."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.short = nn.Sequential(
            *_convolution(channels, channels, 3, stride=2, groups=channels),
            *_convolution(channels, width // 2, 1),
            nn.ReLU(inplace=True),
        )
        self.branch = _branch(channels, width // 2, stride=2)

    def forward(self, input_BCHW: Tensor) -> Tensor:
        return _shuffle(torch.cat((self.short(input_BCHW), self.branch(input_BCHW)), dim=1), 2)


def _branch(channels: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        *_convolution(channels, width, 1),
        nn.ReLU(inplace=True),
        *_convolution(width, width, 3, stride=stride, groups=width),
        *_convolution(width, width, 1),
        nn.ReLU(inplace=True),
    )


def _convolution(channels: int, width: int, size: int, stride: int = 1, groups: int = 1) -> tuple[nn.Module, nn.Module]:
    convolution = nn.Conv2d(channels, width, size, stride, padding=size // 2, groups=groups, bias=False)
    return convolution, nn.BatchNorm2d(width)


def _shuffle(features_BCHW: Tensor, groups: int) -> Tensor:
    """Channel c of group g becomes channel g of group c; torch's own keeps channels last."""
    return features_BCHW if groups == 1 else channel_shuffle(features_BCHW, groups)


def shufflenetv1(params: ModelParams, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """949,258 parameters at 100 classes."""
    return ShuffleNetV1(shape[0], num_classes)


def shufflenetv2(params: ModelParams, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """1,355,528 parameters at 100 classes."""
    return ShuffleNetV2(shape[0], num_classes)
