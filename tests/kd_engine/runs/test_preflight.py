"""What cannot be trained is refused before the teacher is, and what can hardly be meant is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kd_engine.data.dataset import Dataset, load
from kd_engine.distributed.world import ALONE, World
from kd_engine.jobspec import DatasetSpec, JobSpec
from kd_engine.losses.at import AT
from kd_engine.networks.network import Architecture, build, save_network
from kd_engine.runs.preflight import preflight
from kd_engine.schema.errors import InvalidSpecError
from tests.kd_engine.small_runs import LONG, Recorder, run_spec


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colours of 32x32 pixels: large enough for any network of the catalogue, down to one pixel in the deep ones."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(40) % 4
    np.savez(folder / "it.npz", train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    return folder


def refused(body: dict[str, Any], folder: Path, out: Path) -> str:
    """The words of a refusal, before any phase."""
    recorder = Recorder()
    dataset = {"name": "arrays", "params": {"path": "it.npz"}, "mean": [0.5] * 3, "std": [0.5] * 3}
    ended = run_spec(LONG | {"dataset": dataset, "losses": ["kl"]} | body, out, recorder, data_dir=folder)
    assert ended.reason == "invalid_spec", ended
    assert recorder.of("phase_started") == []
    return ended.detail


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_a_batch_of_one_and_batch_norm_on_one_pixel(folder: Path, tmp_path: Path, role: str) -> None:
    network = {"model": "timm/mobilenetv3_small_050"}
    body = {
        "student": {"student": network, "training": {"epochs": 1, "batch_size": 1}},
        "teacher": {"student": "mlp", "teacher": network | {"training": {"epochs": 1, "batch_size": 1}}},
    }[role]

    assert f"the {role} cannot be trained with batch_size 1" in refused(body, folder, tmp_path)


def test_a_student_that_cannot_be_built_at_this_size(folder: Path, tmp_path: Path) -> None:
    """Its size comes with the data, so that nobody could know before."""
    assert "'timm/inception_v3' needs images of at least 75" in refused(
        {"student": "timm/inception_v3"}, folder, tmp_path
    )


def test_maps_that_no_loss_can_compare(folder: Path, tmp_path: Path) -> None:
    body = {"teacher": "resnet8x4", "student": "resnet8", "losses": ["fsp"]}

    assert "needs the same channels at each stage" in refused(body, folder, tmp_path)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load(DatasetSpec(name="digits").resolved(), tmp_path_factory.mktemp("data"), download=False)


def settled(body: dict[str, Any]) -> JobSpec:
    return JobSpec.model_validate(LONG | body).resolved()


def looked_at(spec: JobSpec, data: Dataset, world: World = ALONE) -> list[tuple[str, str]]:
    return [(found.code, found.pointer) for found in preflight(spec, data, world, torch.device("cpu"))]


def test_attention_on_maps_of_one_pixel(digits: Dataset) -> None:
    """At 8x8 pixels the last two of three stages of a Wide ResNet have 4x4 and 2x2 pixels, those of vgg8 fewer."""
    at = {"losses": ["at"]}

    assert looked_at(settled({"teacher": "resnet8", "student": "resnet8"} | at), digits) == []
    told = looked_at(settled({"teacher": "vgg8", "student": "vgg8"} | at), digits)
    assert told == [("maps_of_one_pixel", "/losses/0")]
    with pytest.raises(InvalidSpecError, match="the loss would be 0"):
        AT().check_maps(((8, 1, 1), (16, 1, 1)), ((8, 2, 2), (16, 1, 1)))


@pytest.mark.parametrize(
    ("teacher", "loss", "words"),
    [("resnet8x4", "fsp", "needs the same channels at each stage"), ("mlp", "at", "and the teacher 0")],
)
def test_the_maps_of_a_teacher_that_is_given(
    digits: Dataset, tmp_path: Path, teacher: str, loss: str, words: str
) -> None:
    given, params = tmp_path / "teacher.safetensors", {"num_classes": 10, "in_channels": 1}
    save_network(build(Architecture(teacher, params, digits.shape, digits.classes, (0.5,), (0.5,))), given, {})
    job = {"job": "job_01M7WCW1Y5ZRGZT1X13A4ZJ94N"}
    spec = settled({"teacher": job, "student": "resnet8", "losses": [loss]})

    with pytest.raises(InvalidSpecError, match=words):
        list(preflight(spec, digits, ALONE, torch.device("cpu"), given))


def test_more_processes_than_cores(digits: Dataset) -> None:
    crowd = World()
    crowd.size = 10_000

    assert looked_at(settled({"losses": ["kl"]}), digits, crowd) == [("more_devices_than_cores", "/resources/devices")]


def test_a_look_draws_no_random_numbers(digits: Dataset) -> None:
    before = torch.get_rng_state()

    looked_at(settled({"teacher": "resnet8", "student": "resnet8", "losses": ["fitnets"]}), digits)

    assert torch.get_rng_state().equal(before)


def test_a_network_with_a_normalisation_inside_gets_no_other() -> None:
    own = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    pictures = {"name": "arrays", "params": {"path": "it.npz"}}
    body = {"student": "timm/csatv2", "losses": ["kl"]}

    assert settled(body | {"dataset": pictures | own})
    for other in ({}, {"mean": [0.5] * 3, "std": [0.5] * 3}):
        with pytest.raises(ValueError, match="turns its images back into pixels"):
            settled(body | {"dataset": pictures | other})
