"""Residual networks for 32x32 images: He et al. 2015, arXiv:1512.03385, section 4.2.

Shapes: B images in the batch, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad, relu

from kd_engine.catalog.models.cifar import ResNetParams
from kd_engine.models.initialise import he_convolutions

Widths = tuple[int, int, int, int]
WIDTHS: Widths = (16, 16, 32, 64)


class ResNet(nn.Module):
    """A 3x3 stem, three stages of basic blocks (the second and third halve the size), mean over pixels, one layer.

    `stage1`, `stage2` and `stage3` give `[B, 16, H, W]`, `[B, 32, H/2, W/2]` and `[B, 64, H/4, W/4]`, after ReLU, at
    the default widths of stem and stages.
    """

    def __init__(
        self, depth: int, params: ResNetParams, channels: int, num_classes: int, widths: Widths = WIDTHS
    ) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"a CIFAR ResNet has 6n+2 layers (8, 14, 20, ...); {depth} is not of that form")
        blocks = (depth - 2) // 6
        projects = params.shortcut == "projection"
        self.conv1 = nn.Conv2d(channels, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.stage1 = _stage(widths[0], widths[1], blocks, 1, projects)
        self.stage2 = _stage(widths[1], widths[2], blocks, 2, projects)
        self.stage3 = _stage(widths[2], widths[3], blocks, 2, projects)
        self.fc = nn.Linear(widths[3], num_classes)
        he_convolutions(self)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        stem_BCHW = relu(self.bn1(self.conv1(images_BCHW)))
        last_BCHW = self.stage3(self.stage2(self.stage1(stem_BCHW)))
        logits_BK: Tensor = self.fc(last_BCHW.mean(dim=(2, 3)))
        return logits_BK


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with BatchNorm around a shortcut."""

    def __init__(self, channels: int, width: int, stride: int, projects: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = _shortcut(channels, width, stride, projects)

    def forward(self, input_BCHW: Tensor) -> Tensor:
        middle_BCHW = relu(self.bn1(self.conv1(input_BCHW)))
        return relu(self.bn2(self.conv2(middle_BCHW)) + self.shortcut(input_BCHW))


class ZeroPadShortcut(nn.Module):
    """Every `stride`-th pixel, with channels of zeros on both sides: option A of the paper, without parameters."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.before = (width - channels) // 2
        self.after = width - channels - self.before

    def forward(self, input_BCHW: Tensor) -> Tensor:
        return pad(input_BCHW[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))


def _shortcut(channels: int, width: int, stride: int, projects: bool) -> nn.Module:
    if stride == 1 and channels == width:
        return nn.Identity()
    if not projects:
        return ZeroPadShortcut(channels, width, stride)
    return nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))


def _stage(channels: int, width: int, blocks: int, stride: int, projects: bool) -> nn.Sequential:
    first = BasicBlock(channels, width, stride, projects)
    return nn.Sequential(first, *(BasicBlock(width, width, 1, projects) for _ in range(blocks - 1)))


def resnet(
    params: ResNetParams, shape: tuple[int, int, int], num_classes: int, *, depth: int, widths: Widths
) -> nn.Module:
    """At 100 classes: 20 layers have 278,324 parameters, 110 have 1,736,564; 8x4 has 1,233,540."""
    return ResNet(depth, params, shape[0], num_classes, widths)
