"""Which feature maps of a timm network are its four stages, and how to read them as `[B, C, H, W]`.

timm lists the modules that give feature maps, but a module may give pixels last (`[B, H, W, C]`), tokens
(`[B, N, C]`, class token first) or something else. So the list is tried out once, on an image without data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

STAGES = 4


@dataclass(frozen=True)
class Layout:
    """How a map is stored: `pixels` (first or last channel), or `tokens` after `prefix` others, in rows of a grid."""

    kind: str
    prefix: int = 0
    grid: tuple[int, int] = (0, 0)

    def read(self, output: Tensor) -> Tensor:
        """The map as `[B, C, H, W]`; nothing is copied."""
        if self.kind == "channels_last":
            return output.permute(0, 3, 1, 2)
        if self.kind == "tokens":
            tokens_BCN = output[:, self.prefix :].transpose(1, 2)
            map_BCHW: Tensor = tokens_BCN.unflatten(2, self.grid)  # type: ignore[no-untyped-call]
            return map_BCHW
        return output


@dataclass(frozen=True)
class Stage:
    """A module of the network and the layout of its output."""

    module: str
    layout: Layout


@dataclass(frozen=True)
class Probe:
    """What a network without data told of the real one: weights, width of its features, its stages (4 or none)."""

    weights: int
    features: int
    stages: tuple[Stage, ...]


class Feed:
    """A forward hook that shows a module's output, as a map, to a stage; an object, so that copies stay together."""

    def __init__(self, stage: nn.Module, layout: Layout) -> None:
        self._stage, self._layout = stage, layout

    def __call__(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self._stage(self._layout.read(output))


def probe(network: nn.Module, shape: tuple[int, int, int]) -> Probe:
    """Runs `network`, which lies on torch's `meta` device, on one image of `shape`.

    Raises:
        whatever the network raises for images that it cannot take.
    """
    _check_patches(network, shape)
    listed = getattr(network, "feature_info", [])
    infos: list[dict[str, Any]] = [dict(info) for info in (listed if isinstance(listed, list) else listed.info)]
    outputs: dict[str, Any] = {}
    modules = dict(network.named_modules())
    for name in {info["module"] for info in infos} & set(modules):
        modules[name].register_forward_hook(lambda module, inputs, output, name=name: outputs.update({name: output}))
    with torch.no_grad():
        features_BF = network.eval()(torch.empty(1, *shape, device="meta"))
    if not isinstance(features_BF, Tensor) or features_BF.dim() != 2:
        raise ValueError("it gives no vector of features")
    weights = sum(parameter.numel() for parameter in network.parameters())
    return Probe(weights, features_BF.shape[1], _choose(network, infos, outputs, shape))


def _check_patches(network: nn.Module, shape: tuple[int, int, int]) -> None:
    """timm would leave out the last rows and columns that fill no patch, without a word."""
    patch = _patch(network)
    if any(size % side for size, side in zip(shape[1:], patch, strict=True)):
        raise ValueError(f"patches of {patch[0]}x{patch[1]} pixels do not cover it")


def patch_side(network: nn.Module) -> int:
    """Of the patches that an image is cut into, the larger side; 1 where there are none."""
    return max(_patch(network))


def _patch(network: nn.Module) -> tuple[int, int]:
    patch = getattr(getattr(network, "patch_embed", None), "patch_size", None)
    return patch if isinstance(patch, tuple) else (1, 1)


def _choose(
    network: nn.Module, infos: list[dict[str, Any]], outputs: dict[str, Any], shape: tuple[int, int, int]
) -> tuple[Stage, ...]:
    """The last four maps, the stem's before them left out; of maps of one size, those after each quarter."""
    found = []
    for info in infos:
        layout = _layout(network, infos, info, outputs.get(info["module"]), shape)
        if layout is not None:
            found.append(Stage(info["module"], layout))
    if len(found) < STAGES:
        return ()
    if len({info["reduction"] for info in infos}) > 1:
        return tuple(found[-STAGES:])
    return tuple(found[len(found) * quarter // STAGES - 1] for quarter in range(1, STAGES + 1))


def _layout(
    network: nn.Module, infos: list[dict[str, Any]], info: dict[str, Any], output: Any, shape: tuple[int, int, int]
) -> Layout | None:
    """How `output` is stored; None when it is no map."""
    if not isinstance(output, Tensor):
        return None
    if output.dim() == 4:
        last = output.shape[3] == info["num_chs"] and getattr(network, "output_fmt", "NCHW") == "NHWC"
        if last or (output.shape[3] == info["num_chs"] != output.shape[1]):
            return Layout("channels_last")
        return Layout("channels_first") if output.shape[1] == info["num_chs"] else None
    # tokens in rows only where all maps have one size: networks that merge tokens may keep them in another order
    if output.dim() != 3 or len({other["reduction"] for other in infos}) > 1:
        return None
    height, width = shape[1] // info["reduction"], shape[2] // info["reduction"]
    prefix = int(getattr(network, "num_prefix_tokens", 0))
    return Layout("tokens", prefix, (height, width)) if output.shape[1] - prefix == height * width else None
