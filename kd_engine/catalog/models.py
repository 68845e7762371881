"""The networks that the engine can build: a factory and one row here each. No torch.

A factory takes the row's parameters, the image shape (channels, height, width) and the number of classes, and returns
an `nn.Module` from `[B, C, H, W]` float images to `[B, K]` logits. `stages` names the submodules whose outputs are the
feature maps that feature losses compare, first stage first, stem left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field

from kd_engine.strict import Strict

Width = Annotated[int, Field(ge=1, le=16_384)]


class ModelParams(Strict):
    """Parameters that every network has; both come from the data set, and are given only to have them checked."""

    num_classes: int | None = Field(None, ge=2, le=100_000, description="Taken from the data set.")
    in_channels: int | None = Field(None, ge=1, le=64, description="Taken from the data set.")

    def weights(self, shape: tuple[int, int, int], num_classes: int) -> int:
        """About how many parameters the network will have; 0 where its size is fixed and modest."""
        return 0


class MLPParams(ModelParams):
    """Fully connected layers with ReLU."""

    hidden: tuple[Width, ...] = Field((256,), min_length=1, max_length=16, description="Width of each hidden layer.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Probability of dropping a hidden unit.")

    def weights(self, shape: tuple[int, int, int], num_classes: int) -> int:
        widths = (math.prod(shape), *self.hidden, num_classes)
        return sum(before * after for before, after in pairwise(widths))


class CNNParams(ModelParams):
    """Two 5x5 convolutions, each with ReLU and 2x2 pooling, and one hidden layer."""

    channels: tuple[Width, Width] = Field((32, 64), description="Channels of the two convolutions.")
    hidden: Width = Field(1024, description="Width of the hidden layer.")
    dropout: float = Field(0.25, ge=0, lt=1, description="Probability of dropping a hidden unit.")

    def weights(self, shape: tuple[int, int, int], num_classes: int) -> int:
        (first, second), (channels, height, width) = self.channels, shape
        convolutions = 25 * (channels * first + first * second)
        return convolutions + self.hidden * (second * (height // 4) * (width // 4) + num_classes)


class ResNetParams(ModelParams):
    """The CIFAR residual networks of He et al. 2015, arXiv:1512.03385, section 4.2 (6n+2 layers)."""

    shortcut: Literal["projection", "identity"] = Field(
        "projection", description="Where the shape changes: 1x1 convolution and BatchNorm, or zero padding."
    )


@dataclass(frozen=True)
class ModelRow:
    """What is known of a network before it is built."""

    name: str
    summary: str
    factory: str
    params: type[ModelParams]
    stages: tuple[str, ...] = ()
    min_size: int = 1

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "summary": self.summary,
            "stages": list(self.stages),
            "min_size": self.min_size,
            "schema": self.params.model_json_schema(),
        }


def _resnet(depth: int) -> ModelRow:
    return ModelRow(
        name=f"resnet{depth}",
        summary=f"CIFAR ResNet of {depth} layers, widths 16-32-64.",
        factory=f"kd_engine.models.resnet_cifar:resnet{depth}",
        params=ResNetParams,
        stages=("stage1", "stage2", "stage3"),
        min_size=8,
    )


MODELS: dict[str, ModelRow] = {
    row.name: row
    for row in (
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
            stages=("stage1", "stage2"),
            min_size=4,
        ),
        _resnet(20),
        _resnet(56),
        _resnet(110),
    )
}
