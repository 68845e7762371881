"""A small convolutional network for digits. Shapes: B images in the batch, C channels, H and W pixels, K classes."""

from __future__ import annotations

from torch import Tensor, nn

from kd_engine.catalog.models import CNNParams


class MnistCNN(nn.Module):
    """Two 5x5 convolutions, each with 2x2 max pooling and ReLU, then one hidden layer with dropout.

    `stage1` gives `[B, 32, H/2, W/2]` and `stage2` `[B, 64, H/4, W/4]` at the default widths, sizes rounded down.
    """

    def __init__(self, params: CNNParams, shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        first, second = params.channels
        self.stage1 = _stage(channels, first)
        self.stage2 = _stage(first, second)
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


def _stage(channels: int, width: int) -> nn.Sequential:
    # max and ReLU commute: pooling first leaves ReLU a quarter of the work, with the same result
    return nn.Sequential(nn.Conv2d(channels, width, 5, padding=2), nn.MaxPool2d(2), nn.ReLU())


def mnist_cnn(params: CNNParams, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """The network for images of at least 4x4 pixels; 3,274,634 parameters on MNIST."""
    return MnistCNN(params, shape, num_classes)
