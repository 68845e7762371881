"""The networks: sizes as published, shapes, stages. B images, C channels, H and W pixels, K classes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import pytest
import torch
from torch import nn

from kd_engine.catalog import MODELS
from kd_engine.catalog.models.cifar import ResNetParams
from kd_engine.catalog.models.simple import CNNParams
from kd_engine.models.cnn import MnistCNN
from kd_engine.models.resnet_cifar import BasicBlock, ResNet, ZeroPadShortcut
from kd_engine.models.wide_resnet import WideResNet
from kd_engine.networks.build import build_network

MNIST, CIFAR = (1, 28, 28), (3, 32, 32)


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("model", "params", "shape", "classes", "expected"),
    [
        ("softmax_regression", {}, MNIST, 10, 7_850),
        ("mlp", {"hidden": [256]}, MNIST, 10, 784 * 256 + 256 + 2570),
        ("mnist_cnn", {}, MNIST, 10, 3_274_634),
        ("resnet8", {}, CIFAR, 100, 83_892),
        ("resnet14", {}, CIFAR, 100, 181_108),
        ("resnet20", {}, CIFAR, 100, 278_324),
        ("resnet32", {}, CIFAR, 100, 472_756),
        ("resnet44", {}, CIFAR, 100, 667_188),
        ("resnet56", {}, CIFAR, 100, 861_620),
        ("resnet110", {}, CIFAR, 100, 1_736_564),
        ("resnet8x4", {}, CIFAR, 100, 1_233_540),
        ("resnet32x4", {}, CIFAR, 100, 7_433_860),
        ("wrn16_1", {}, CIFAR, 100, 180_916),
        ("wrn16_2", {}, CIFAR, 100, 703_284),
        ("wrn40_1", {}, CIFAR, 100, 569_780),
        ("wrn40_2", {}, CIFAR, 100, 2_255_156),
        ("vgg8", {}, CIFAR, 100, 3_965_028),
        ("vgg13", {}, CIFAR, 100, 9_462_180),
        ("vgg19", {}, CIFAR, 100, 20_035_392 + 512 * 100 + 100),  # the convolutions of vgg19_bn
        ("mobilenetv2", {}, CIFAR, 100, 812_836),
        ("shufflenetv1", {}, CIFAR, 100, 949_258),
        ("shufflenetv2", {}, CIFAR, 100, 1_355_528),
        # the experiments
        ("vgg19_bn", {}, CIFAR, 10, 20_286_282),
        ("three_block_cnn", {}, CIFAR, 10, 114_186),
        ("flowers_cnn", {}, (3, 180, 180), 5, 2_080_677),
        ("flowers_cnn", {"hidden": 64}, (3, 180, 180), 5, 1_089_061),
        ("flowers_cnn", {"hidden": 32}, (3, 180, 180), 5, 593_253),
        ("flowers_cnn", {"hidden": 16}, (3, 180, 180), 5, 345_349),
        # option A of the paper has no parameters in its shortcuts: table 6 says 0.27M and 0.85M
        ("resnet20", {"shortcut": "identity"}, CIFAR, 10, 269_722),
        ("resnet56", {"shortcut": "identity"}, CIFAR, 10, 853_018),
    ],
)
def test_number_of_parameters(
    model: str, params: dict[str, Any], shape: tuple[int, int, int], classes: int, expected: int
) -> None:
    assert size(build_network(model, params, shape, classes)) == expected


@pytest.mark.parametrize("model", ["mnist_cnn", "three_block_cnn", "flowers_cnn"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 48), (3, 180, 180)], ids=str)
def test_weights_are_counted_before_the_network_is_built(model: str, shape: tuple[int, int, int]) -> None:
    estimate = MODELS[model].params().weights(shape, 10)

    assert estimate == pytest.approx(size(build_network(model, {}, shape, 10)), rel=0.02)


@pytest.mark.parametrize("depth", [2, 7, 21])
def test_a_depth_that_is_not_6n_plus_2_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="6n\\+2 layers"):
        ResNet(depth, ResNetParams(), 3, 10)


@pytest.mark.parametrize("depth", [4, 14, 20])
def test_a_depth_that_is_not_6n_plus_4_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="6n\\+4 layers"):
        WideResNet(depth, 1, 3, 10)


# the others are as these, only deeper or wider
DEEPER = {"resnet14", "resnet32", "resnet44", "resnet56", "resnet110", "resnet32x4", "wrn40_1", "wrn40_2", "vgg13"}


@pytest.mark.parametrize("model", sorted(set(MODELS) - DEEPER))
@pytest.mark.parametrize("size", ["smallest", (13, 9), (32, 32)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
class TestEveryNetwork:
    @pytest.fixture
    def shape(self, model: str, size: Any, channels: int) -> tuple[int, int, int]:
        smallest = MODELS[model].min_size
        height, width = (smallest, smallest) if size == "smallest" else (max(side, smallest) for side in size)
        return (channels, height, width)

    @pytest.fixture
    def network(self, model: str, shape: tuple[int, int, int]) -> nn.Module:
        torch.manual_seed(0)
        return build_network(model, {}, shape, 7).eval()

    def test_maps_images_to_logits_in_both_layouts(self, network: nn.Module, shape: tuple[int, int, int]) -> None:
        images_BCHW = torch.randn(4, *shape)

        logits_BK = network(images_BCHW)
        channels_last = images_BCHW.contiguous(memory_format=torch.channels_last)
        again_BK = network.to(memory_format=torch.channels_last)(channels_last)  # type: ignore[call-overload]

        assert logits_BK.shape == (4, 7)
        assert torch.isfinite(logits_BK).all()
        torch.testing.assert_close(again_BK, logits_BK, rtol=1e-3, atol=1e-4)

    def test_stages_of_the_catalogue_give_ever_smaller_maps(
        self, network: nn.Module, model: str, shape: tuple[int, int, int]
    ) -> None:
        maps = []
        for stage in MODELS[model].stages:
            network.get_submodule(stage).register_forward_hook(lambda module, inputs, output: maps.append(output.shape))
        network(torch.randn(2, *shape))

        assert len(maps) == len(MODELS[model].stages)
        assert all(len(features) == 4 and features[0] == 2 for features in maps)
        assert all(later[2] <= earlier[2] for earlier, later in pairwise(maps))

    def test_all_parameters_learn(self, network: nn.Module, shape: tuple[int, int, int]) -> None:
        network.train()(torch.randn(4, *shape)).square().sum().backward()

        assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("model", ["resnet20", "wrn16_1", "vgg8", "mobilenetv2", "shufflenetv1", "shufflenetv2"])
def test_same_seed_same_weights(model: str) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(build_network(model, {}, CIFAR, 10).parameters())

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_stages_of_the_cnn_are_after_pooling_and_relu() -> None:
    network = MnistCNN(CNNParams(), MNIST, 10)
    images_BCHW = torch.randn(2, *MNIST)
    convolution = cast(nn.Conv2d, network.stage1[0])(images_BCHW)

    features_BCHW = network.stage1(images_BCHW)

    assert features_BCHW.shape == (2, 32, 14, 14)
    assert network.stage2(features_BCHW).shape == (2, 64, 7, 7)
    assert torch.equal(features_BCHW, nn.functional.max_pool2d(convolution.relu(), 2))


def test_dropout_drops_a_quarter_in_training_only() -> None:
    network = MnistCNN(CNNParams(), MNIST, 10)
    [dropout] = [module for module in network.modules() if isinstance(module, nn.Dropout)]
    images_BCHW = torch.randn(2, *MNIST)

    assert dropout.p == 0.25
    assert torch.equal(network.eval()(images_BCHW), network(images_BCHW))
    assert not torch.equal(network.train()(images_BCHW), network(images_BCHW))


def test_stages_of_the_resnet() -> None:
    network = ResNet(20, ResNetParams(), 3, 10).eval()
    first = network.stage1(torch.randn(2, 16, 32, 32))
    second = network.stage2(first)

    assert [len(stage) for stage in (network.stage1, network.stage2, network.stage3)] == [3, 3, 3]
    assert second.shape == (2, 32, 16, 16)
    assert network.stage3(second).shape == (2, 64, 8, 8)
    assert min(tensor.min().item() for tensor in (first, second)) >= 0


def test_option_a_takes_every_second_pixel_and_adds_channels_of_zeros() -> None:
    input_BCHW = torch.randn(2, 16, 6, 6)

    output_BCHW = ZeroPadShortcut(16, 32, 2)(input_BCHW)

    assert output_BCHW.shape == (2, 32, 3, 3)
    assert torch.equal(output_BCHW[:, 8:24], input_BCHW[:, :, ::2, ::2])
    assert output_BCHW[:, :8].abs().sum() == output_BCHW[:, 24:].abs().sum() == 0


def test_a_block_whose_convolutions_say_nothing_is_its_shortcut() -> None:
    block = BasicBlock(16, 16, 1, projects=True).eval()
    nn.init.zeros_(block.bn2.weight)
    input_BCHW = torch.randn(2, 16, 4, 4)

    assert torch.equal(block(input_BCHW), input_BCHW.relu())


def test_kaiming_initialisation_of_the_convolutions() -> None:
    torch.manual_seed(0)
    network = ResNet(20, ResNetParams(), 3, 10)

    weight = cast(BasicBlock, network.stage3[1]).conv1.weight
    assert weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.03)
    assert all(bool((module.weight == 1).all()) for module in network.modules() if isinstance(module, nn.BatchNorm2d))
