"""Names to objects."""

from __future__ import annotations

from typing import Any

import pytest

from kd_engine.networks.build import build_network
from kd_engine.schema.errors import InvalidSpecError


def test_parameters_reach_the_network() -> None:
    network = build_network("mlp", {"hidden": [7, 5], "num_classes": 10, "in_channels": 1}, (1, 8, 8), 10)

    shapes = [tuple(parameter.shape) for parameter in network.parameters()]
    assert shapes == [(7, 64), (7,), (5, 7), (5,), (10, 5), (10,)]


@pytest.mark.parametrize(
    ("model", "params", "shape", "message"),
    [
        ("resnet_20", {}, (3, 32, 32), "unknown model 'resnet_20'; did you mean 'resnet20'?"),
        ("mlp", {"hiden": [3]}, (1, 8, 8), "parameters of 'mlp' are wrong: /hiden: unknown key 'hiden'"),
        ("mlp", {"hidden": [3, 0]}, (1, 8, 8), "/hidden/1: Input should be greater than or equal to 1"),
        ("mlp", {"num_classes": 11}, (1, 8, 8), "'mlp' was given num_classes = 11, but the data has 10"),
        ("mlp", {"in_channels": 3}, (1, 8, 8), "'mlp' was given in_channels = 3, but the data has 1"),
        ("mnist_cnn", {}, (1, 8, 3), "needs images of at least 4 pixels a side; these are 8x3"),
    ],
)
def test_what_cannot_be_built(model: str, params: dict[str, Any], shape: tuple[int, int, int], message: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        build_network(model, params, shape, 10)

    assert message in str(caught.value)
