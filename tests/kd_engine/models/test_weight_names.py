"""Weights of timm's own networks, as people save them, become the same network here."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from kd_engine.catalog.models.timm import TimmParams
from kd_engine.intake.weights_file import network_of
from kd_engine.models.timm import BackboneMaker
from kd_engine.models.weight_names import misfit, unprefixed
from kd_engine.networks.network import Architecture, Network
from kd_engine.schema.errors import DataError

NAME, CLASSES = "test_resnet", 7


@cache
def trained() -> nn.Module:
    torch.manual_seed(0)
    whole = BackboneMaker(NAME, TimmParams(), (3, 32, 32)).whole(CLASSES).eval()
    with torch.no_grad():  # what was trained has answers of its own
        for parameter in whole.get_submodule("fc").parameters():
            parameter.mul_(50)
    return whole


def state(prefix: str = "", **changes: Any) -> dict[str, Tensor]:
    return {prefix + name: tensor.clone() for name, tensor in trained().state_dict().items()} | changes


def taken(tensors: dict[str, Tensor], tmp_path: Path, classes: int = CLASSES, **params: Any) -> Network:
    save_file(tensors, tmp_path / "a.safetensors")
    names = tuple(map(str, range(classes)))
    architecture = Architecture(f"timm/{NAME}", params, (3, 32, 32), names, (0.0,) * 3, (1.0,) * 3)
    return network_of(tmp_path / "a.safetensors", architecture)


def with_a_head_of_its_own() -> dict[str, Tensor]:
    found = state("backbone.")
    return found | {"head.weight": found.pop("backbone.fc.weight"), "head.bias": found.pop("backbone.fc.bias")}


@pytest.mark.parametrize(("tensors", "tolerance"), [
    (state(), 1e-5),
    (state("module."), 1e-5),
    (state("model.backbone."), 1e-5),
    (state("state_dict_ema.") | {name: tensor * 0 for name, tensor in state("state_dict.").items()}, 1e-5),
    ({name: tensor.bfloat16() if tensor.is_floating_point() else tensor for name, tensor in state().items()}, 0.05),
    ({name: tensor for name, tensor in state().items() if not name.endswith("num_batches_tracked")}, 1e-5),
    (with_a_head_of_its_own(), 1e-5),
], ids=["timm", "module", "backbone", "moving average", "bf16", "no counters", "a head of its own"])  # fmt: skip
def test_it_is_the_network_that_was_trained(tmp_path: Path, tensors: dict[str, Tensor], tolerance: float) -> None:
    network = taken(tensors, tmp_path)
    network.freeze()
    images_BCHW = torch.rand(4, 3, 32, 32)
    expected_BK = trained()(images_BCHW)
    torch.testing.assert_close(network.module(images_BCHW), expected_BK, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize(("tensors", "classes", "message"), [
    (state(), 5, r"for 5 classes: 'fc\.weight' is 7x\d+ in the file and 5x\d+ in the network\.$"),
    ({"what": torch.zeros(3_000_000)}, CLASSES, r"lacks 'conv1\.0\.weight' and \d+ more; it has 'what'\.$"),
    (state(more=torch.zeros(2)), CLASSES, r"the network has no 'more'\.$"),
])  # fmt: skip
def test_what_does_not_fit_is_one_line(tmp_path: Path, tensors: dict[str, Tensor], classes: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        taken(tensors, tmp_path, classes)


def test_of_two_the_moving_average_is_taken() -> None:
    wanted = {"a": torch.zeros(1)}
    assert unprefixed({"model.a": torch.ones(1), "model_ema.module.a": wanted["a"]}, wanted) == wanted
    assert misfit(wanted, wanted) is None
