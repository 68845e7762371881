"""What a job needs is known before it trains, and only what cannot fit is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from kd_engine.data.dataset import Dataset, load
from kd_engine.jobspec import JobSpec, parse_spec
from kd_engine.networks.build import build_network
from kd_engine.platform.files import sha256_of
from kd_engine.runs import memory_check
from kd_engine.runs.memory_check import _kept_for_backward, estimate, memory_of
from tests.kd_engine.small_runs import DIGITS, Recorder, run_spec

CPU = torch.device("cpu")
_MIB = 2**20


def _settled(tmp_path: Path, body: dict[str, Any]) -> tuple[JobSpec, Dataset]:
    spec = parse_spec(body)
    assert isinstance(spec, JobSpec)
    data = load(spec.dataset, tmp_path, download=False)
    assert data.facts is not None
    return spec.settled(data.facts), data


@pytest.mark.parametrize("model", ["mlp", "mnist_cnn", "resnet8", "shufflenetv2"])
def test_what_is_kept_for_the_backward_pass_is_what_a_whole_batch_keeps(tmp_path: Path, model: str) -> None:
    training = {"batch_size": 48, "precision": "float32"}
    spec, data = _settled(tmp_path, DIGITS | {"student": model, "training": training})
    found = estimate(spec, data, CPU)
    assert found is not None
    network = build_network(model, spec.student.params, data.shape, len(data.classes))
    assert found.activations == _kept_for_backward(network, torch.zeros(48, *data.shape))
    halved = estimate(spec, data, CPU, processes=2)
    assert halved is not None
    assert halved.activations == pytest.approx(found.activations / 2, rel=0.05)


@pytest.mark.parametrize(
    ("optimizer", "copies"), [("adam", 4), ("sgd", 3), ({"name": "sgd", "momentum": 0, "nesterov": False}, 2)]
)
def test_weights_gradients_and_the_optimisers_state(tmp_path: Path, optimizer: Any, copies: int) -> None:
    spec, data = _settled(tmp_path, DIGITS | {"training": {"optimizer": optimizer}})
    found = estimate(spec, data, CPU)
    network = build_network(spec.student.model, spec.student.params, data.shape, len(data.classes))
    assert found is not None
    assert found.student == copies * sum(4 * parameter.numel() for parameter in network.parameters())


def test_a_job_that_cannot_fit_ends_before_it_trains(tmp_path: Path) -> None:
    recorder, body = Recorder(), DIGITS | {"student": "resnet20", "training": {"batch_size": 1024}}
    finished = run_spec(body, tmp_path, recorder, memory=4 * _MIB)
    assert finished.reason == "out_of_memory"
    assert "the device (cpu) has 4 MiB for it; take a smaller batch_size (it is 1024)" in finished.detail
    assert not recorder.of("phase_started")


def test_what_a_run_may_hold_counts_where_it_is_less_than_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_check, "machine_memory", lambda: 4 * _MIB)
    assert memory_of(CPU, 2, 3 * _MIB) == 1.5 * _MIB
    assert memory_of(CPU, 2, 9 * _MIB) == memory_of(CPU, 2) == 2 * _MIB


def test_a_job_that_may_fit_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, data = _settled(tmp_path, DIGITS)
    found = estimate(spec, data, CPU)
    assert found is not None
    monkeypatch.setattr(memory_check, "machine_memory", lambda: int(found.total / 1.4))
    assert run_spec(DIGITS, tmp_path).reason == "completed"


def test_the_estimate_draws_nothing_from_the_runs_random_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_spec(DIGITS, tmp_path / "with")
    monkeypatch.setattr("kd_engine.runs.distill.check_memory", lambda *_: None)
    run_spec(DIGITS, tmp_path / "without")
    with_it, without = (sha256_of(tmp_path / folder / "student.safetensors") for folder in ("with", "without"))
    assert with_it == without


def test_without_a_known_limit_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_check, "machine_memory", lambda: None)
    assert run_spec(DIGITS, tmp_path).reason == "completed"
