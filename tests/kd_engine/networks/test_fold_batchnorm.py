"""Folding changes the cost of a network and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kd_engine.networks.build import build_network
from kd_engine.networks.features import FeatureTap
from kd_engine.networks.fold_batchnorm import cast_once, folded


def _with_statistics(module: nn.Module) -> nn.Module:
    """BatchNorms with something to fold: a few batches in train mode, and weights off their defaults."""
    torch.manual_seed(0)
    module.train()
    for _ in range(3):
        module(torch.randn(16, 3, 32, 32) * 2 + 0.5)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
    return module.eval()


def test_folded_resnet_is_the_same_function() -> None:
    module = _with_statistics(build_network("resnet20", {}, (3, 32, 32), 10))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    copied = folded(module)
    images_BCHW = torch.randn(8, 3, 32, 32)
    stages = ("stage1", "stage2", "stage3")
    with torch.no_grad(), FeatureTap(module, stages) as tap, FeatureTap(copied, stages) as copied_tap:
        expected, found = module(images_BCHW), copied(images_BCHW)
        for feature, copied_feature in zip(tap.take(), copied_tap.take(), strict=True):
            torch.testing.assert_close(copied_feature, feature, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in copied.modules())
    assert all(module.state_dict()[name].equal(before[name]) for name in before)


class _DependsOnData(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.norm(self.convolution(x)) if x.sum() > 0 else x
        return found


class _SharedConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.convolution(x)
        found: torch.Tensor = self.norm(y) + y
        return found


@pytest.mark.parametrize("make", [_DependsOnData, _SharedConvolution])
def test_what_cannot_be_folded_is_left_alone(make: type[nn.Module]) -> None:
    module = _with_statistics(make())
    copied = folded(module)
    images_BCHW = torch.rand(2, 3, 8, 8)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in copied.modules())
    assert copied(images_BCHW).equal(module(images_BCHW))


@pytest.mark.parametrize("model", ["resnet20", "mnist_cnn", "mobilenetv2"])
def test_weights_cast_once_are_those_that_autocast_uses(model: str) -> None:
    module = _with_statistics(build_network(model, {}, (3, 32, 32), 10))
    copied = folded(module)
    images_BCHW = torch.randn(8, 3, 32, 32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        expected = copied(images_BCHW)
        cast_once(copied, torch.bfloat16)
        assert copied(images_BCHW).equal(expected)
    assert {weight.dtype for weight in copied.parameters()} == {torch.bfloat16}
    assert {weight.dtype for weight in module.parameters()} == {torch.float32}


class _Standardised(nn.Conv2d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = (self.weight - self.weight.mean()) / self.weight.std()
        return nn.functional.conv2d(x, weight, self.bias)


def test_a_layer_that_computes_with_its_weights_keeps_them_as_they_are() -> None:
    module = nn.Sequential(_Standardised(3, 4, 3), nn.Conv2d(4, 4, 3), nn.LayerNorm(4))
    cast_once(module, torch.bfloat16)

    assert [next(layer.parameters()).dtype for layer in module] == [torch.float32, torch.bfloat16, torch.float32]
