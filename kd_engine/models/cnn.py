"""Small convolutional networks of the experiments.

Shapes: B images in the batch, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

from torch import Tensor, nn

from kd_engine.catalog.models.simple import CNNParams, FlowersParams, ThreeBlockParams


class MnistCNN(nn.Module):
    """Two 5x5 convolutions, each with 2x2 max pooling and ReLU, then one hidden layer with dropout.

    `stage1` gives `[B, 32, H/2, W/2]` and `stage2` `[B, 64, H/4, W/4]` at the default widths, sizes rounded down.
    """

    def __init__(self, params: CNNParams, shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        first, second = params.channels
        self.stage1 = _stage(channels, first, 5)
        self.stage2 = _stage(first, second, 5)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(second * (height // 4) * (width // 4), params.hidden),
            nn.ReLU(),
            nn.Dropout(params.dropout),
            nn.Linear(params.hidden, num_classes),
        )

    def forward(self, images_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = self.head(self.stage2(self.stage1(images_BCHW)))
        return logits_BK


class ThreeBlockCNN(nn.Module):
    """Three blocks of 3x3 convolution, ReLU, 2x2 max pooling and BatchNorm, then one linear layer.

    `stage1` to `stage3` give `[B, 32, H/2, W/2]`, `[B, 64, H/4, W/4]` and `[B, 128, H/8, W/8]` at the default widths,
    after BatchNorm.
    """

    def __init__(self, params: ThreeBlockParams, shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        first, second, third = params.channels
        self.stage1 = nn.Sequential(*_stage(channels, first, 3), nn.BatchNorm2d(first))
        self.stage2 = nn.Sequential(*_stage(first, second, 3), nn.BatchNorm2d(second))
        self.stage3 = nn.Sequential(*_stage(second, third, 3), nn.BatchNorm2d(third))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(third * (height // 8) * (width // 8), num_classes))

    def forward(self, images_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = self.head(self.stage3(self.stage2(self.stage1(images_BCHW))))
        return logits_BK


class FlowersCNN(nn.Module):
    """Four 3x3 convolutions, each with ReLU and 2x2 max pooling, dropout, then one hidden layer.

    `stage1` to `stage4` give 16, 32, 64 and 128 channels of 1/2, 1/4, 1/8 and 1/16 of the size at the default widths.
    """

    def __init__(self, params: FlowersParams, shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        first, second, third, fourth = params.channels
        self.stage1 = _stage(channels, first, 3)
        self.stage2 = _stage(first, second, 3)
        self.stage3 = _stage(second, third, 3)
        self.stage4 = _stage(third, fourth, 3)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(params.dropout),
            nn.Linear(fourth * (height // 16) * (width // 16), params.hidden),
            nn.ReLU(),
            nn.Linear(params.hidden, num_classes),
        )

    def forward(self, images_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = self.head(self.stage4(self.stage3(self.stage2(self.stage1(images_BCHW)))))
        return logits_BK


def _stage(channels: int, width: int, size: int) -> nn.Sequential:
    # max and ReLU commute: pooling first leaves ReLU a quarter of the work, with the same result
    return nn.Sequential(nn.Conv2d(channels, width, size, padding=size // 2), nn.MaxPool2d(2), nn.ReLU())


def mnist_cnn(params: CNNParams, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """The network for images of at least 4x4 pixels; 3,274,634 parameters on MNIST."""
    return MnistCNN(params, shape, num_classes)


def three_block_cnn(params: ThreeBlockParams, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """The network for images of at least 8x8 pixels; 114,186 parameters on CIFAR-10."""
    return ThreeBlockCNN(params, shape, num_classes)


def flowers_cnn(params: FlowersParams, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """The network for images of at least 16x16 pixels; 2,080,677 parameters for 5 classes of 180x180 pixels."""
    return FlowersCNN(params, shape, num_classes)
