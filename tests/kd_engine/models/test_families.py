"""What is particular to each family of networks. Shapes: B images, C channels, H and W pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from kd_engine.catalog import MODELS
from kd_engine.models.mobilenet import InvertedResidual
from kd_engine.models.shufflenet import GroupedBlock, HalvingBlock, SplitBlock
from kd_engine.models.vgg import VGG
from kd_engine.models.wide_resnet import PreActivationBlock
from kd_engine.networks.build import build_network
from kd_engine.networks.features import FeatureTap
from kd_engine.networks.network import Architecture, build, load_network, save_network

Shape = tuple[int, int, int]
CIFAR: Shape = (3, 32, 32)


def maps_of(model: str, shape: Shape = CIFAR) -> list[tuple[int, ...]]:
    network = build_network(model, {}, shape, 10).eval()
    with torch.no_grad(), FeatureTap(network, MODELS[model].stages) as tap:
        network(torch.randn(2, *shape))
        return [tuple(features.shape[1:]) for features in tap.take()]


@pytest.mark.parametrize(
    ("model", "shape", "expected"),
    [
        ("resnet8x4", CIFAR, [(64, 32, 32), (128, 16, 16), (256, 8, 8)]),
        ("wrn16_2", CIFAR, [(32, 32, 32), (64, 16, 16), (128, 8, 8)]),
        ("vgg8", CIFAR, [(128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 4, 4)]),
        ("vgg19_bn", CIFAR, [(128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2)]),
        ("mobilenetv2", CIFAR, [(12, 16, 16), (16, 8, 8), (48, 4, 4), (160, 2, 2)]),
        ("shufflenetv1", CIFAR, [(240, 16, 16), (480, 8, 8), (960, 4, 4)]),
        ("shufflenetv2", CIFAR, [(116, 16, 16), (232, 8, 8), (464, 4, 4)]),
        ("three_block_cnn", CIFAR, [(32, 16, 16), (64, 8, 8), (128, 4, 4)]),
        ("flowers_cnn", (3, 180, 180), [(16, 90, 90), (32, 45, 45), (64, 22, 22), (128, 11, 11)]),
    ],
)
def test_maps_of_the_stages(model: str, shape: Shape, expected: list[tuple[int, ...]]) -> None:
    assert maps_of(model, shape) == expected


@pytest.mark.parametrize(
    "model", ["resnet8x4", "wrn16_1", "vgg8", "mobilenetv2", "shufflenetv1", "shufflenetv2", "three_block_cnn"]
)
def test_a_saved_network_comes_back(model: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    architecture = Architecture(model, {}, (1, 16, 16), tuple("abc"), (0.5,), (0.2,))
    network = build(architecture)
    images_BCHW = torch.randint(0, 255, (4, 1, 16, 16), dtype=torch.uint8)
    network.logits(images_BCHW)  # moves the statistics of BatchNorm
    network.module.eval()

    save_network(network, tmp_path / "network.safetensors", {})
    again = load_network(tmp_path / "network.safetensors")

    assert torch.equal(again.logits(images_BCHW), network.logits(images_BCHW))


@pytest.mark.parametrize(
    ("block", "channels"),
    [(PreActivationBlock(8, 8, 1), 8), (InvertedResidual(8, 8, 1, 6), 8)],
    ids=["wide resnet", "mobilenet"],
)
def test_a_block_whose_branch_says_nothing_passes_its_input_on(block: nn.Module, channels: int) -> None:
    last = block.conv2 if isinstance(block, PreActivationBlock) else cast(Any, block).project[-1]
    nn.init.zeros_(last.weight)
    input_BCHW = torch.randn(2, channels, 4, 4)

    assert torch.equal(block.eval()(input_BCHW), input_BCHW)


def test_a_wide_block_that_changes_the_shape_projects_the_activated_input() -> None:
    block = PreActivationBlock(8, 16, 2).eval()
    nn.init.zeros_(block.conv2.weight)
    input_BCHW = torch.randn(2, 8, 4, 4)

    weight = cast(nn.Conv2d, block.shortcut).weight[:, :, 0, 0]
    expected = torch.einsum("oc,bchw->bohw", weight, block.bn1(input_BCHW).relu()[:, :, ::2, ::2])
    torch.testing.assert_close(block(input_BCHW), expected)


def test_a_mobile_block_of_stride_2_adds_nothing() -> None:
    block = InvertedResidual(8, 8, 2, 6).eval()
    nn.init.zeros_(cast(nn.BatchNorm2d, block.project[1]).weight)

    assert not block(torch.randn(2, 8, 4, 4)).any()


def test_width_of_the_mobile_network() -> None:
    [narrow, plain] = [build_network("mobilenetv2", {"width": width}, CIFAR, 10) for width in (0.5, 1)]

    first = [cast(Any, network).stem[0].out_channels for network in (narrow, plain)]
    last = [cast(Any, network).fc.in_features for network in (narrow, plain)]
    assert (first, last) == ([16, 32], [1280, 1280])


def shuffled(features_BCHW: Tensor, groups: int) -> Tensor:
    """Channel by channel: the first of each group, then the second of each, ..."""
    size = features_BCHW.shape[1] // groups
    order = [group * size + position for position in range(size) for group in range(groups)]
    return features_BCHW[:, order]


def test_half_of_the_channels_pass_a_split_block_and_are_shuffled_with_the_rest() -> None:
    block = SplitBlock(8).eval()
    input_BCHW = torch.randn(2, 8, 4, 4)

    both = torch.cat((input_BCHW[:, :4], block.branch(input_BCHW[:, 4:])), dim=1)
    assert torch.equal(block(input_BCHW), shuffled(both, 2))


def test_a_halving_block_shuffles_its_two_branches() -> None:
    block = HalvingBlock(6, 16).eval()
    input_BCHW = torch.randn(2, 6, 4, 4)

    output_BCHW = block(input_BCHW)

    assert output_BCHW.shape == (2, 16, 2, 2)
    assert torch.equal(output_BCHW, shuffled(torch.cat((block.short(input_BCHW), block.branch(input_BCHW)), dim=1), 2))


@pytest.mark.parametrize("halves", [False, True])
def test_a_grouped_block(halves: bool) -> None:
    block = GroupedBlock(24, 48 if halves else 24, 3, halves).eval()
    input_BCHW = torch.randn(2, 24, 4, 4)

    inner = shuffled(block.reduce(input_BCHW).relu(), 3)
    branch = block.expand(block.depthwise(inner).relu())
    pooled = nn.functional.avg_pool2d(input_BCHW, 3, 2, 1)
    expected = torch.cat((branch, pooled), dim=1) if halves else branch + input_BCHW
    torch.testing.assert_close(block(input_BCHW), expected.relu())


def test_shuffling_keeps_channels_last() -> None:
    block = SplitBlock(8).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    input_BCHW = torch.randn(2, 8, 4, 4).contiguous(memory_format=torch.channels_last)

    assert block(input_BCHW).is_contiguous(memory_format=torch.channels_last)


def test_the_large_vgg_repeats_one_pixel_to_7x7() -> None:
    network = cast(VGG, build_network("vgg19_bn", {}, CIFAR, 10)).eval()

    pooled_BCHW = network.pool(torch.randn(2, 512, 2, 2))

    assert network.fc.in_features == 25_088
    assert pooled_BCHW.shape == (2, 512, 7, 7)
    assert torch.equal(pooled_BCHW, pooled_BCHW[:, :, :1, :1].expand(2, 512, 7, 7))


def test_three_blocks_end_in_batch_norm() -> None:
    network: Any = build_network("three_block_cnn", {}, CIFAR, 10).train()
    features_BCHW = network.stage1(torch.randn(8, *CIFAR))

    torch.testing.assert_close(features_BCHW.mean(dim=(0, 2, 3)), torch.zeros(32), atol=1e-5, rtol=0)


def test_the_flowers_network_drops_inputs_of_its_hidden_layer() -> None:
    network: Any = build_network("flowers_cnn", {"hidden": 16}, (3, 32, 32), 5)

    assert [type(layer) for layer in network.head] == [nn.Flatten, nn.Dropout, nn.Linear, nn.ReLU, nn.Linear]
    assert network.head[1].p == 0.3
