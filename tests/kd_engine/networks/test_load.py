"""A teacher is trained once, found again by its hash, measured before use, and never changed."""

from __future__ import annotations

from pathlib import Path

import torch

from kd_engine.data.dataset import load
from kd_engine.data.loader import Batch
from kd_engine.jobspec import DatasetSpec, JobSpec
from kd_engine.networks.network import Network, load_network
from kd_engine.platform.files import sha256_of
from kd_engine.teachers.live import LiveTeacher
from kd_engine.teachers.network import TeacherNetwork
from kd_engine.training.objective import Objective
from tests.kd_engine.small_runs import DIGITS, LONG, Recorder, run_spec


def test_a_second_job_finds_the_teacher_in_the_cache(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first, second = Recorder(), Recorder()
    assert run_spec(DIGITS, tmp_path / "a", first, cache_dir=cache).reason == "completed"
    changed = DIGITS | {"temperature": 1, "student": "softmax_regression"}
    assert run_spec(changed, tmp_path / "b", second, cache_dir=cache).reason == "completed"
    assert first.of("phase_ended")[0].source == "trained"
    assert second.of("phase_ended")[0].source == "cache"
    assert not [event for event in second.of("epoch_end") if event.phase == "teacher"]
    for key in ("test_accuracy", "test_loss", "val_accuracy"):
        assert second.of("phase_ended")[0].metrics[key] == first.of("phase_ended")[0].metrics[key]
    assert "teacher,0,1," in (tmp_path / "b" / "metrics.csv").read_text()


def test_a_damaged_cache_entry_is_trained_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert run_spec(DIGITS, tmp_path / "a", cache_dir=cache).reason == "completed"
    (entry,) = (cache / "teachers").glob("*.safetensors")
    whole = entry.read_bytes()
    entry.write_bytes(whole[:1000])
    recorder = Recorder()
    assert run_spec(DIGITS, tmp_path / "b", recorder, cache_dir=cache).reason == "completed"
    assert recorder.of("phase_ended")[0].source == "trained"
    assert entry.read_bytes() == whole


def test_a_network_of_another_job_teaches(tmp_path: Path) -> None:
    assert run_spec(DIGITS, tmp_path / "a").reason == "completed"
    given = tmp_path / "a" / "student.safetensors"
    body = DIGITS | {"teacher": {"job": "job_1"}, "student": "softmax_regression"}
    recorder = Recorder()
    assert run_spec(body, tmp_path / "b", recorder, networks=(given,)).reason == "completed"
    taught = load_network(tmp_path / "b" / "teacher.safetensors").module.state_dict()
    was = load_network(given).module.state_dict()
    assert all(taught[name].equal(was[name]) for name in was)
    assert recorder.of("phase_ended")[0].source == "given"


def test_a_teacher_of_other_classes_is_refused(tmp_path: Path) -> None:
    assert run_spec(DIGITS, tmp_path / "a").reason == "completed"
    network = load_network(tmp_path / "a" / "student.safetensors")
    permuted = Network(
        network.architecture.__class__(**(vars(network.architecture) | {"classes": tuple("1023456789")})),
        network.module,
    )
    from kd_engine.networks.network import save_network

    save_network(permuted, tmp_path / "permuted.safetensors", {})
    body = DIGITS | {"teacher": {"job": "job_1"}}
    ended = run_spec(body, tmp_path / "b", networks=(tmp_path / "permuted.safetensors",))
    assert ended.reason == "invalid_spec"
    assert "in that order" in ended.detail


def test_teaching_changes_no_bit_of_the_teacher(tmp_path: Path) -> None:
    """BatchNorm statistics included: the usual mistake is a teacher left in train mode."""
    body = DIGITS | {"student": "resnet20", "training": {"epochs": 1}}
    assert run_spec(body, tmp_path / "a").reason == "completed"
    resnet = tmp_path / "a" / "student.safetensors"
    before = sha256_of(resnet)
    body = LONG | {"teacher": {"job": "job_1"}, "student": "resnet20", "losses": ["kl", "at"]}
    assert run_spec(body, tmp_path / "b", networks=(resnet,)).reason == "completed"
    assert sha256_of(resnet) == before
    taught = load_network(tmp_path / "b" / "teacher.safetensors").module.state_dict()
    was = load_network(resnet).module.state_dict()
    assert all(taught[name].equal(was[name]) for name in was)


def test_what_teaches_is_frozen(tmp_path: Path) -> None:
    assert run_spec(DIGITS, tmp_path).reason == "completed"
    teacher = load_network(tmp_path / "teacher.safetensors")
    student = load_network(tmp_path / "student.safetensors")
    teacher.module.train()
    data = load(DatasetSpec(name="digits").resolved(), tmp_path, download=False)
    losses = JobSpec.model_validate(DIGITS).objective()[0]
    with Objective(student, losses=losses, teacher=LiveTeacher(TeacherNetwork(teacher))) as objective:
        terms = objective.terms(Batch(data.train.images_NCHW[:32], data.train.labels_N[:32], torch.arange(32)), 0.0)
    torch.stack(list(terms.values())).sum().backward()
    assert not teacher.module.training
    assert all(parameter.grad is None for parameter in teacher.module.parameters())
    assert any(parameter.grad is not None for parameter in student.module.parameters())
