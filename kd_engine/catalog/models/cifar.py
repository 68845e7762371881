"""The networks that the literature on distillation compares on CIFAR. No torch.

Names follow it, with `_` for `-`: a name is made of letters, digits and underscores throughout the catalogue.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kd_engine.catalog.models.base import ModelParams, ModelRow, stages


class ResNetParams(ModelParams):
    """The CIFAR residual networks of He et al. 2015, arXiv:1512.03385, section 4.2 (6n+2 layers)."""

    shortcut: Literal["projection", "identity"] = Field(
        "projection", description="Where the shape changes: 1x1 convolution and BatchNorm, or zero padding."
    )


class MobileNetV2Params(ModelParams):
    """MobileNetV2, Sandler et al. 2018, arXiv:1801.04381, at the sizes of CIFAR."""

    width: float = Field(0.5, ge=0.1, le=4, description="Factor of the channels of all but the last convolution.")


def _resnet(depth: int, wide: bool = False) -> ModelRow:
    widths = (32, 64, 128, 256) if wide else (16, 16, 32, 64)
    return ModelRow(
        name=f"resnet{depth}x4" if wide else f"resnet{depth}",
        summary=f"CIFAR ResNet of {depth} layers, widths {'-'.join(map(str, widths[1:]))}.",
        factory="kd_engine.models.resnet_cifar:resnet",
        params=ResNetParams,
        options={"depth": depth, "widths": widths},
        stages=stages(3),
        min_size=8,
    )


def _wide_resnet(depth: int, factor: int) -> ModelRow:
    return ModelRow(
        name=f"wrn{depth}_{factor}",
        summary=f"Wide ResNet of {depth} layers, widths {16 * factor}-{32 * factor}-{64 * factor}.",
        factory="kd_engine.models.wide_resnet:wide_resnet",
        params=ModelParams,
        options={"depth": depth, "factor": factor},
        stages=stages(3),
        min_size=8,
    )


def _vgg(depth: int) -> ModelRow:
    return ModelRow(
        name=f"vgg{depth}",
        summary=f"VGG of {depth} layers with BatchNorm and a mean over pixels, for CIFAR.",
        factory="kd_engine.models.vgg:vgg",
        params=ModelParams,
        options={"depth": depth},
        stages=stages(4),
        min_size=8,
    )


ROWS = (
    *(_resnet(depth) for depth in (8, 14, 20, 32, 44, 56, 110)),
    *(_resnet(depth, wide=True) for depth in (8, 32)),
    *(_wide_resnet(depth, factor) for depth in (16, 40) for factor in (1, 2)),
    *(_vgg(depth) for depth in (8, 13, 19)),
    ModelRow(
        name="vgg19_bn",
        summary="The VGG19 of ImageNet with BatchNorm and one linear layer on 25,088 features; 20,286,282 parameters.",
        factory="kd_engine.models.vgg:vgg19_bn",
        params=ModelParams,
        stages=stages(4),
        min_size=32,
    ),
    ModelRow(
        name="mobilenetv2",
        summary="MobileNetV2 of half width, expansion 6, for CIFAR.",
        factory="kd_engine.models.mobilenet:mobilenetv2",
        params=MobileNetV2Params,
        stages=stages(4),
        min_size=8,
    ),
    ModelRow(
        name="shufflenetv1",
        summary="ShuffleNet of 3 groups, widths 240-480-960, for CIFAR.",
        factory="kd_engine.models.shufflenet:shufflenetv1",
        params=ModelParams,
        stages=stages(3),
        min_size=8,
    ),
    ModelRow(
        name="shufflenetv2",
        summary="ShuffleNetV2 of full width, 116-232-464, for CIFAR.",
        factory="kd_engine.models.shufflenet:shufflenetv2",
        params=ModelParams,
        stages=stages(3),
        min_size=8,
    ),
)
