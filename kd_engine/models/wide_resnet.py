"""Wide residual networks for 32x32 images: Zagoruyko and Komodakis 2016, arXiv:1605.07146.

Shapes: B images in the batch, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import relu

from kd_engine.catalog.models import ModelParams
from kd_engine.models.initialise import he_convolutions


class WideResNet(nn.Module):
    """A 3x3 stem, three stages of pre-activation blocks, BatchNorm and ReLU, mean over pixels, one layer.

    `stage1`, `stage2` and `stage3` give `[B, 16k, H, W]`, `[B, 32k, H/2, W/2]` and `[B, 64k, H/4, W/4]` for factor k:
    sums of shortcut and branch, before the activation that the next block starts with.
    """

    def __init__(self, depth: int, factor: int, channels: int, num_classes: int) -> None:
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f"a Wide ResNet has 6n+4 layers (10, 16, 22, ...); {depth} is not of that form")
        blocks = (depth - 4) // 6
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.stage1 = _stage(16, 16 * factor, blocks, 1)
        self.stage2 = _stage(16 * factor, 32 * factor, blocks, 2)
        self.stage3 = _stage(32 * factor, 64 * factor, blocks, 2)
        self.bn = nn.BatchNorm2d(64 * factor)
        self.fc = nn.Linear(64 * factor, num_classes)
        he_convolutions(self)
        nn.init.zeros_(self.fc.bias)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        last_BCHW = self.stage3(self.stage2(self.stage1(self.conv1(images_BCHW))))
        logits_BK: Tensor = self.fc(relu(self.bn(last_BCHW)).mean(dim=(2, 3)))
        return logits_BK


class PreActivationBlock(nn.Module):
    """Twice BatchNorm, ReLU and a 3x3 convolution, added to the input.

    Where the shape changes, the shortcut is a 1x1 convolution of the activated input.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        changes = stride > 1 or channels != width
        self.shortcut = nn.Conv2d(channels, width, 1, stride, bias=False) if changes else None

    def forward(self, input_BCHW: Tensor) -> Tensor:
        active_BCHW = relu(self.bn1(input_BCHW))
        branch_BCHW: Tensor = self.conv2(relu(self.bn2(self.conv1(active_BCHW))))
        return branch_BCHW + (input_BCHW if self.shortcut is None else self.shortcut(active_BCHW))


def _stage(channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    first = PreActivationBlock(channels, width, stride)
    return nn.Sequential(first, *(PreActivationBlock(width, width, 1) for _ in range(blocks - 1)))


def wide_resnet(
    params: ModelParams, shape: tuple[int, int, int], num_classes: int, *, depth: int, factor: int
) -> nn.Module:
    """At 100 classes: 16-1 has 180,916 parameters, 16-2 703,284, 40-1 569,780, 40-2 2,255,156."""
    return WideResNet(depth, factor, shape[0], num_classes)
