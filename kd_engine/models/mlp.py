"""Networks of fully connected layers. Shapes: B images in the batch, C channels, H and W pixels, K classes."""

from __future__ import annotations

from math import prod

from torch import nn

from kd_engine.catalog.models import ModelParams
from kd_engine.catalog.models.simple import MLPParams


def softmax_regression(params: ModelParams, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """One linear layer on the pixels, from `[B, C, H, W]` to `[B, K]`; 7,850 parameters on MNIST."""
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(shape), num_classes))


def mlp(params: MLPParams, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Hidden layers of `params.hidden` units with ReLU and dropout, from `[B, C, H, W]` to `[B, K]`."""
    return nn.Sequential(nn.Flatten(), *layers(prod(shape), params.hidden, params.dropout, num_classes))


def layers(width: int, hidden: tuple[int, ...], dropout: float, num_classes: int) -> list[nn.Module]:
    """Linear, ReLU and dropout for each hidden layer, and the linear layer of classes."""
    found: list[nn.Module] = []
    for units in hidden:
        found += [nn.Linear(width, units), nn.ReLU(), nn.Dropout(dropout)]
        width = units
    return [*found, nn.Linear(width, num_classes)]
