"""Weights to start from: the user's files, and those of a public hub. Nothing is downloaded in these tests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from kd_engine.models.timm import TimmNetwork
from kd_engine.models.weights import WeightsFolder
from kd_engine.networks.build import build_network
from kd_engine.schema.errors import DataError, InvalidSpecError
from tests.kd_engine.small_runs import DIGITS, Recorder, run_spec

FILE = "mine.safetensors"
REPOSITORY = "timm/test_resnet.r160_in1k"


def network(params: dict[str, Any], data_dir: Path, channels: int = 3, name: str = "test_resnet") -> TimmNetwork:
    torch.manual_seed(1)
    folder = WeightsFolder(data_dir, download=False)
    return cast(TimmNetwork, build_network(f"timm/{name}", params, (channels, 32, 32), 10, folder))


def published() -> dict[str, Tensor]:
    """The tensors of a whole network of 1,000 classes, as timm would publish them."""
    from kd_engine.platform.torchvision_stub import import_torchvision

    import_torchvision()
    import timm

    torch.manual_seed(2)
    state: dict[str, Tensor] = timm.create_model("test_resnet").state_dict()
    return state


def put(tensors: dict[str, Tensor], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)


class TestFile:
    @pytest.mark.parametrize("with_classifier", [True, False])
    def test_its_weights_are_the_backbones(self, with_classifier: bool, tmp_path: Path) -> None:
        tensors = {name: tensor for name, tensor in published().items() if with_classifier or not name.startswith("fc")}
        put(tensors, tmp_path / "weights" / FILE)

        started = network({"weights_file": FILE, "frozen_backbone": True}, tmp_path)
        random = network({}, tmp_path)

        state = started.backbone.state_dict()
        assert all(torch.equal(state[name], tensors[name]) for name in state)
        assert torch.equal(started.head[1].weight, random.head[1].weight)  # type: ignore[index]
        assert not any(parameter.requires_grad for parameter in started.backbone.parameters())

    def test_it_is_adapted_to_grey_images(self, tmp_path: Path) -> None:
        tensors = published()
        put(tensors, tmp_path / "weights" / FILE)

        started = network({"weights_file": FILE}, tmp_path, channels=1)

        first = "conv1.0.weight"
        torch.testing.assert_close(started.backbone.state_dict()[first], tensors[first].sum(dim=1, keepdim=True))

    def test_one_missing_tensor_is_an_error(self, tmp_path: Path) -> None:
        tensors = published()
        del tensors["layer2.0.conv1.weight"]
        put(tensors, tmp_path / "weights" / FILE)

        with pytest.raises(DataError, match=r"do not fit 'timm/test_resnet'.*layer2\.0\.conv1\.weight"):
            network({"weights_file": FILE}, tmp_path)

    def test_another_networks_weights_are_an_error(self, tmp_path: Path) -> None:
        put(published(), tmp_path / "weights" / FILE)

        with pytest.raises(DataError, match="do not fit 'timm/test_vit'"):
            network({"weights_file": FILE}, tmp_path, name="test_vit")

    def test_a_pickle_by_that_name_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "weights").mkdir()
        torch.save(published(), tmp_path / "weights" / FILE)

        with pytest.raises(DataError, match=f"{FILE} is not a safetensors file"):
            network({"weights_file": FILE}, tmp_path)

    def test_a_huge_header_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "weights").mkdir()
        (tmp_path / "weights" / FILE).write_bytes((2**63).to_bytes(8, "little") + b"{}")

        with pytest.raises(DataError, match="is not a safetensors file"):
            network({"weights_file": FILE}, tmp_path)

    def test_an_absent_file_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=f"no file of weights '{FILE}' in the folder 'weights' of KD_DATA_DIR"):
            network({"weights_file": FILE}, tmp_path)

    @pytest.mark.parametrize("name", ["../outside.safetensors", "sub/inside.safetensors", "/outside.safetensors", ""])
    def test_a_path_is_not_a_name(self, name: str, tmp_path: Path) -> None:
        for path in (tmp_path / "outside.safetensors", tmp_path / "weights" / "sub" / "inside.safetensors"):
            put({"x": torch.zeros(1)}, path)

        with pytest.raises(DataError, match="by its name alone"):
            WeightsFolder(tmp_path).given(name)
        with pytest.raises(DataError, match="by its name alone"):
            WeightsFolder(tmp_path).sha256({"weights_file": name})

    def test_sha256(self, tmp_path: Path) -> None:
        put({"x": torch.zeros(1)}, tmp_path / "weights" / FILE)

        content = (tmp_path / "weights" / FILE).read_bytes()
        assert WeightsFolder(tmp_path).sha256({"weights_file": FILE}) == hashlib.sha256(content).hexdigest()
        assert WeightsFolder(tmp_path).sha256({"head": [3]}) == ""


class TestHub:
    def test_what_was_downloaded_before_is_used(self, tmp_path: Path) -> None:
        tensors = published()
        stored = tmp_path / "weights" / "hub" / f"models--{REPOSITORY.replace('/', '--')}"
        put(tensors, stored / "snapshots" / ("0" * 40) / "model.safetensors")
        (stored / "refs").mkdir()
        (stored / "refs" / "main").write_text("0" * 40)

        state = network({"pretrained": True}, tmp_path).backbone.state_dict()

        assert all(torch.equal(state[name], tensors[name]) for name in state)

    def test_without_downloads_the_error_says_how_to_supply_them(self, tmp_path: Path) -> None:
        with pytest.raises(DataError) as caught:
            network({"pretrained": True}, tmp_path)

        for part in (REPOSITORY, "KD_DATA_DIR", "'weights'", "params.weights_file", "KD_DOWNLOAD=true"):
            assert part in str(caught.value)

    def test_without_a_network_the_error_says_how_to_supply_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

        with pytest.raises(DataError, match=r"could not be downloaded.*params\.weights_file"):
            WeightsFolder(tmp_path, download=True).published(REPOSITORY)

    def test_a_network_without_published_weights(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidSpecError, match=r"no weights for 'timm/test_vit4'.*params\.weights_file"):
            network({"pretrained": True}, tmp_path, name="test_vit4")


def test_a_teacher_is_found_again_by_the_content_of_its_file(tmp_path: Path) -> None:
    def source_of_teacher(out: str) -> str:
        recorder = Recorder()
        teacher = {
            "model": "timm/test_resnet",
            "params": {"weights_file": FILE, "frozen_backbone": True},
            "training": {"epochs": 1, "batch_size": 256},
        }
        body = DIGITS | {"teacher": teacher, "student": "softmax_regression", "baseline": False}
        shared = {"data_dir": tmp_path, "cache_dir": tmp_path / "cache"}
        finished = run_spec(body, tmp_path / out, recorder, **shared)
        assert finished.reason == "completed", finished.detail
        return str(recorder.of("phase_ended")[0].source)

    tensors = published()
    put(tensors, tmp_path / "weights" / FILE)
    assert [source_of_teacher("a"), source_of_teacher("b")] == ["trained", "cache"]

    put({name: tensor * 2 for name, tensor in tensors.items()}, tmp_path / "weights" / FILE)
    assert source_of_teacher("c") == "trained"
