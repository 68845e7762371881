"""How the weights of convolutional networks start."""

from __future__ import annotations

from torch import nn


def he_convolutions(network: nn.Module) -> None:
    """Convolutions as He et al. 2015, arXiv:1502.01852: keeps the size of the gradient from layer to layer."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def small_classifier(layer: nn.Linear) -> None:
    """Standard deviation .01, so that training starts from almost equal probabilities."""
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
