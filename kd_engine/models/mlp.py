"""Networks of fully connected layers. Shapes: B images in the batch, C channels, H and W pixels, K classes."""

from __future__ import annotations

from math import prod

from torch import nn

from kd_engine.catalog.models import MLPParams, ModelParams


def softmax_regression(params: ModelParams, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """One linear layer on the pixels, from `[B, C, H, W]` to `[B, K]`; 7,850 parameters on MNIST."""
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(shape), num_classes))


def mlp(params: MLPParams, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Hidden layers of `params.hidden` units with ReLU and dropout, from `[B, C, H, W]` to `[B, K]`."""
    layers: list[nn.Module] = [nn.Flatten()]
    width = prod(shape)
    for hidden in params.hidden:
        layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(params.dropout)]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, num_classes))
