"""Fully connected networks and plain convolutional ones. No torch."""

from __future__ import annotations

import math
from itertools import pairwise

from pydantic import Field

from kd_engine.catalog.models.base import Dropout, ModelParams, ModelRow, Width, stages


class MLPParams(ModelParams):
    """Fully connected layers with ReLU."""

    hidden: tuple[Width, ...] = Field((256,), min_length=1, max_length=16, description="Width of each hidden layer.")
    dropout: Dropout = Field(0.0, description="Probability of dropping a hidden unit.")

    def weights(self, shape: tuple[int, int, int], num_classes: int) -> int:
        widths = (math.prod(shape), *self.hidden, num_classes)
        return sum(before * after for before, after in pairwise(widths))


class CNNParams(ModelParams):
    """Two 5x5 convolutions, each with ReLU and 2x2 pooling, and one hidden layer."""

    channels: tuple[Width, Width] = Field((32, 64), description="Channels of the two convolutions.")
    hidden: Width = Field(1024, description="Width of the hidden layer.")
    dropout: Dropout = Field(0.25, description="Probability of dropping a hidden unit.")

    def weights(self, shape: tuple[int, int, int], num_classes: int) -> int:
        return _convolutional(shape, self.channels, 25, (self.hidden, num_classes))


class ThreeBlockParams(ModelParams):
    """Three blocks of 3x3 convolution, ReLU, 2x2 pooling and BatchNorm, then one linear layer."""

    channels: tuple[Width, Width, Width] = Field((32, 64, 128), description="Channels of the three blocks.")

    def weights(self, shape: tuple[int, int, int], num_classes: int) -> int:
        return _convolutional(shape, self.channels, 9, (num_classes,))


class FlowersParams(ModelParams):
    """Four 3x3 convolutions, each with ReLU and 2x2 pooling, and one hidden layer."""

    channels: tuple[Width, Width, Width, Width] = Field((16, 32, 64, 128), description="Channels of the convolutions.")
    hidden: Width = Field(128, description="Width of the hidden layer: 64, 32 or 16 make students of it.")
    dropout: Dropout = Field(0.3, description="Probability of dropping an input of the hidden layer.")

    def weights(self, shape: tuple[int, int, int], num_classes: int) -> int:
        return _convolutional(shape, self.channels, 9, (self.hidden, num_classes))


def _convolutional(shape: tuple[int, int, int], channels: tuple[int, ...], area: int, layers: tuple[int, ...]) -> int:
    """Convolutions of `area` pixels, each followed by 2x2 pooling, then fully connected `layers`."""
    images, height, width = shape
    halvings = len(channels)
    flat = channels[-1] * (height >> halvings) * (width >> halvings)
    convolutions = sum(area * before * after for before, after in pairwise((images, *channels)))
    return convolutions + sum(before * after for before, after in pairwise((flat, *layers)))


ROWS = (
    ModelRow(
        name="softmax_regression",
        summary="One linear layer on the pixels: multinomial logistic regression.",
        factory="kd_engine.models.mlp:softmax_regression",
        params=ModelParams,
    ),
    ModelRow(
        name="mlp",
        summary="Fully connected layers with ReLU and dropout.",
        factory="kd_engine.models.mlp:mlp",
        params=MLPParams,
    ),
    ModelRow(
        name="mnist_cnn",
        summary="Two 5x5 convolutions and a hidden layer; 3,274,634 parameters on MNIST.",
        factory="kd_engine.models.cnn:mnist_cnn",
        params=CNNParams,
        stages=stages(2),
        min_size=4,
    ),
    ModelRow(
        name="three_block_cnn",
        summary="Three blocks of 3x3 convolution, ReLU, pooling and BatchNorm; 114,186 parameters on CIFAR-10.",
        factory="kd_engine.models.cnn:three_block_cnn",
        params=ThreeBlockParams,
        stages=stages(3),
        min_size=8,
    ),
    ModelRow(
        name="flowers_cnn",
        summary="Four 3x3 convolutions and a hidden layer; 2,080,677 parameters for 5 classes of 180x180 pixels.",
        factory="kd_engine.models.cnn:flowers_cnn",
        params=FlowersParams,
        stages=stages(4),
        min_size=16,
    ),
)
