"""Networks of timm with a new head. Shapes: B images, C channels, H and W pixels.

Those named `test_...` are timm's own, made for tests: whole networks of a few hundred thousand weights.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import nn

from kd_engine.catalog import MODELS
from kd_engine.jobspec import JobSpec
from kd_engine.models.timm import TimmNetwork
from kd_engine.networks.build import build_network
from kd_engine.networks.features import FeatureTap
from kd_engine.networks.network import Architecture, build, load_network, save_network
from kd_engine.schema.errors import InvalidSpecError
from tests.kd_engine.small_runs import DIGITS, LONG, Recorder, run_spec

ROOT = Path(__file__).parents[3]
Shape = tuple[int, int, int]
FROZEN = {"frozen_backbone": True}


def timm_network(name: str, params: dict[str, Any] | None = None, shape: Shape = (3, 32, 32)) -> TimmNetwork:
    torch.manual_seed(0)
    return cast(TimmNetwork, build_network(f"timm/{name}", params or {}, shape, 10))


def trainable(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


@pytest.mark.parametrize(
    ("name", "hidden", "expected"), [("resnet101", [2048, 2048], 8_413_194), ("resnet18", [128, 128], 83_466)]
)
def test_trainable_parameters_of_a_frozen_backbone_with_a_new_head(name: str, hidden: list[int], expected: int) -> None:
    network = timm_network(name, {**FROZEN, "head": hidden, "dropout": 0.95})

    assert trainable(network) == expected
    assert [type(layer) for layer in cast(nn.Sequential, network.head)] == [
        nn.Linear, nn.ReLU, nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear,
    ]  # fmt: skip
    assert [layer.p for layer in network.head.modules() if isinstance(layer, nn.Dropout)] == [0.95, 0.95]


def test_parameters_of_a_whole_network_are_those_that_timm_has() -> None:
    assert trainable(timm_network("resnet18", {}, (3, 64, 64))) == 11_181_642  # 11,689,512 at 1,000 classes


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 32, 32), (3, 64, 48)], ids=str)
@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "mobilenetv3_small_050", "test_vit2"])
def test_any_size_and_channels(name: str, shape: Shape) -> None:
    network = timm_network(name, {}, shape)
    images_BCHW = torch.randn(2, *shape)

    logits_BK = network.eval()(images_BCHW)
    last = network.to(memory_format=torch.channels_last)(  # type: ignore[call-overload]
        images_BCHW.contiguous(memory_format=torch.channels_last)
    )
    network.train()(images_BCHW).square().sum().backward()

    assert logits_BK.shape == (2, 10)
    torch.testing.assert_close(last, logits_BK, rtol=1e-3, atol=1e-4)
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "indices"),
    [
        ("resnet18", [1, 2, 3, 4]),  # the first of five is the stem
        ("test_vit", [0, 2, 3, 5]),  # of six blocks, those that end each quarter; a class token before the pixels
        ("swin_tiny_patch4_window7_224", [0, 1, 2, 3]),  # gives pixels last
        ("mobilenetv3_small_050", [1, 2, 3, 4]),
    ],
)
def test_stages_are_the_maps_that_timm_gives(name: str, indices: list[int]) -> None:
    network = timm_network(name, {}, (3, 64, 96)).eval()
    images_BCHW = torch.randn(2, 3, 64, 96)

    with torch.no_grad(), FeatureTap(network, MODELS[f"timm/{name}"].stages) as tap:
        network(images_BCHW)
        maps = tap.take()
        backbone: Any = network.backbone
        expected = backbone.forward_intermediates(images_BCHW, indices=indices, intermediates_only=True)

    assert len(maps) == 4
    for found_BCHW, expected_BCHW in zip(maps, expected, strict=True):
        assert torch.equal(found_BCHW, expected_BCHW)


def test_a_copy_has_stages_of_its_own() -> None:
    network = timm_network("test_resnet").eval()
    copied = copy.deepcopy(network)
    nn.init.zeros_(next(copied.backbone.parameters()))
    images_BCHW = torch.randn(2, 3, 32, 32)

    with torch.no_grad(), FeatureTap(network, ("stage4",)) as mine, FeatureTap(copied, ("stage4",)) as its:
        network(images_BCHW)
        copied(images_BCHW)
        assert not torch.equal(mine.take()[0], its.take()[0])


def test_a_network_with_too_few_maps_refuses_to_be_tapped() -> None:
    network = timm_network("visformer_tiny", {}, (3, 32, 32))

    with pytest.raises(InvalidSpecError, match="compares feature maps, but this network has no stage1"):
        FeatureTap(network, MODELS["timm/resnet18"].stages)


class TestFrozen:
    def test_a_step_changes_the_head_alone(self) -> None:
        network = timm_network("test_resnet", {**FROZEN, "head": [8]}).train()
        before = copy.deepcopy(network.state_dict())
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)

        for _ in range(2):
            network(torch.randn(4, 3, 32, 32)).square().sum().backward()
            optimizer.step()

        changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
        assert changed == {"head.0.weight", "head.0.bias", "head.3.weight", "head.3.bias"}

    def test_batch_norm_stays_in_eval_mode_and_dropout_does_not(self) -> None:
        network = timm_network("test_resnet", {**FROZEN, "dropout": 0.5}).eval().train()

        assert network.training
        assert not any(module.training for module in network.backbone.modules())
        assert all(module.training for module in network.head.modules())

    def test_what_is_not_frozen_trains(self) -> None:
        network = timm_network("test_resnet").eval().train()

        assert all(module.training for module in network.backbone.modules())


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("resnet18x", (3, 32, 32), "knows no network 'resnet18x'; did you mean 'timm/resnet18'?"),
        ("resnet18.a1_in2k", (3, 32, 32), "no set of weights 'resnet18.a1_in2k'; did you mean 'timm/resnet18.a1_in1k'"),
        ("vit_tiny_patch16_224", (3, 8, 8), "cannot take images of 8x8 pixels in 3 channels"),
        ("vit_tiny_patch16_224", (3, 40, 32), "cannot take images of 40x32 pixels in 3 channels (ValueError: patches"),
        ("vit_giant_patch14_224", (3, 28, 28), "weights; at most 500,000,000 are taken"),
    ],
)
def test_what_cannot_be_built(name: str, shape: Shape, message: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        timm_network(name, {}, shape)

    assert message in str(caught.value)


@pytest.mark.parametrize("model", ["timm/", "timm/../resnet18", "timm/hf-hub:a/b", "timm/local-dir:/etc", "timm/A b"])
def test_what_is_not_a_name_is_no_model(model: str) -> None:
    assert model not in MODELS
    with pytest.raises(InvalidSpecError, match="unknown model"):
        build_network(model, {}, (3, 32, 32), 10)


def test_same_seed_same_weights() -> None:
    first, second = timm_network("test_resnet").state_dict(), timm_network("test_resnet").state_dict()

    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("params", [{}, {**FROZEN, "head": [8], "dropout": 0.5, "pretrained": True}], ids=str)
def test_a_saved_network_comes_back_without_the_weights_that_it_started_from(
    params: dict[str, Any], tmp_path: Path
) -> None:
    architecture = Architecture("timm/test_efficientnet", params, (1, 16, 16), tuple("abc"), (0.5,), (0.2,))
    network = build(architecture)
    network.module.eval()

    save_network(network, tmp_path / "network.safetensors", {})
    again = load_network(tmp_path / "network.safetensors")

    images_BCHW = torch.randint(0, 255, (2, 1, 16, 16), dtype=torch.uint8)
    assert torch.equal(again.logits(images_BCHW), network.logits(images_BCHW))
    assert trainable(again.module) == trainable(network.module)


def test_a_spec_names_a_network_without_torch_and_timm() -> None:
    job = DIGITS | {"student": {"model": "timm/resnet18.a1_in1k", "params": {"head": [64]}}}
    code = (
        "import json, sys\n"
        "from kd_engine.jobspec import JobSpec\n"
        f"spec = JobSpec.model_validate({job!r}).resolved().to_json()\n"
        "print(json.dumps([spec['student'], sorted(sys.modules)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    student, loaded = json.loads(done.stdout)

    assert student["model"] == "timm/resnet18.a1_in1k"
    assert student["params"]["head"] == [64]
    assert student["params"]["in_channels"] == 1
    assert not {"torch", "timm", "torchvision"} & set(loaded)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"weights_file": "../x.safetensors"}, "weights_file"),
        ({"weights_file": "weights.pth"}, "weights_file"),
        ({"weights_file": "a.safetensors", "pretrained": True}, "give one"),
        ({"hed": [3]}, "unknown key 'hed'; did you mean 'head'?"),
    ],
)
def test_a_spec_with_wrong_parameters_is_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="error") as caught:
        JobSpec.model_validate(DIGITS | {"student": {"model": "timm/resnet18", "params": params}})

    assert message in str(caught.value)


def test_a_job_with_a_loss_on_feature_maps(tmp_path: Path) -> None:
    recorder = Recorder()
    body = LONG | {
        "teacher": {"model": "timm/test_resnet", "training": {"epochs": 1, "batch_size": 256}},
        "student": {"model": "timm/test_efficientnet", "params": {**FROZEN, "head": [16]}},
        "losses": ["at"],
    }
    finished = run_spec(body, tmp_path, recorder)

    assert finished.reason == "completed", finished.detail
    assert [ended.phase for ended in recorder.of("phase_ended")] == ["teacher", "baseline", "student"]
    assert load_network(tmp_path / "student.safetensors").architecture.params["head"] == [16]
