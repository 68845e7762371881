"""What a recipe may ask for beyond plain training: averages, patience, rates by layer, and a stop when it diverges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from kd_engine.data.dataset import Dataset, load
from kd_engine.data.loader import batches
from kd_engine.jobspec import DatasetSpec, TrainingSpec
from kd_engine.networks.network import Architecture, Network, build
from kd_engine.runs.plan_runner import CHECKPOINT_FILE
from kd_engine.schema.errors import DivergedError
from kd_engine.training.ema import EMA
from kd_engine.training.objective import Objective
from kd_engine.training.rng import generator, seeded
from kd_engine.training.trainer import Trainer
from tests.kd_engine.small_runs import DIGITS, Recorder, run_spec


class _Silent:
    def after_step(self, trainer: Trainer) -> None:
        pass

    def after_epoch(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        pass


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load(DatasetSpec(name="digits").resolved(), tmp_path_factory.mktemp("data"), download=False)


def _trainer(data: Dataset, **recipe: Any) -> Trainer:
    architecture = Architecture("mlp", {"hidden": [16]}, data.shape, data.classes, (0.0,), (1.0,))
    with seeded(0, "init"):
        network = build(architecture)
    spec = TrainingSpec.model_validate({"epochs": 3, "batch_size": 200} | recipe)
    return Trainer(network, data, spec, Objective(network), 0, "student", _Silent())


def _weights(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.module.state_dict().items()}


def test_average_is_the_formula(data: Dataset) -> None:
    trainer = _trainer(data)
    ema = EMA(trainer.network, decay=0.15)
    expected = _weights(trainer.network)
    draws = generator(0, "batches")
    for step, batch in enumerate(list(batches(data.train, 200, draws, ()))[:3]):
        trainer.train_step(batch)
        ema.update(trainer.network.module, step)
        now = trainer.network.module.state_dict()
        decay = (1 / 10, 0.15, 0.15)[step]  # of (1 + n) / (10 + n), until that is above .15
        expected = {name: decay * kept + (1 - decay) * now[name] for name, kept in expected.items()}
    for name, tensor in ema.network.module.state_dict().items():
        torch.testing.assert_close(tensor, expected[name])


def test_an_average_of_a_short_training_forgets_its_start(data: Dataset) -> None:
    """The weights stand still from the first step on; the average is there long before a decay of .9999 would be."""
    trainer = _trainer(data)
    ema = EMA(trainer.network, decay=0.9999)
    still = _trainer(data).network
    for parameter in still.module.parameters():
        parameter.data.add_(1)

    for step in range(100):
        ema.update(still.module, step)

    for name, tensor in ema.network.module.state_dict().items():
        torch.testing.assert_close(tensor, still.module.state_dict()[name], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("size", [100, 5000])
def test_the_first_step_of_a_warm_up_changes_the_weights(data: Dataset, size: int) -> None:
    """Also where a whole epoch is one step."""
    trainer = _trainer(data, batch_size=size, schedule={"name": "cosine", "warmup_epochs": 2})
    before = _weights(trainer.network)

    trainer.train_step(next(iter(batches(data.train, size, generator(0, "batches"), ()))))

    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.001 / (2 * trainer.steps))
    assert not any(tensor.equal(before[name]) for name, tensor in _weights(trainer.network).items())


def test_with_an_average_the_average_counts(data: Dataset) -> None:
    trainer = _trainer(data, ema=0.5, keep="last")
    trainer.fit()
    assert trainer._ema is not None
    averaged = trainer._ema.network.module.state_dict()
    assert all(tensor.equal(averaged[name]) for name, tensor in trainer.network.module.state_dict().items())


def test_an_averaged_run_resumes_exactly(tmp_path: Path) -> None:
    body = DIGITS | {"training": {"epochs": 3, "batch_size": 256, "ema": 0.9}, "baseline": False}
    assert run_spec(body, tmp_path / "whole").reason == "completed"
    assert run_spec(body, tmp_path / "cut", Recorder(stop_after=20)).reason == "interrupted"
    ended = run_spec(body, tmp_path / "cut", resume_from=tmp_path / "cut" / CHECKPOINT_FILE)
    assert ended.reason == "completed"
    student = "student.safetensors"
    assert (tmp_path / "cut" / student).read_bytes() == (tmp_path / "whole" / student).read_bytes()


def test_patience_ends_a_training_that_no_longer_improves(tmp_path: Path) -> None:
    recipe = {"epochs": 200, "batch_size": 64, "patience": 2, "optimizer": {"name": "adam", "lr": 0.05}}
    recorder = Recorder()
    body = DIGITS | {"training": recipe, "baseline": False}
    assert run_spec(body, tmp_path, recorder).reason == "completed"
    epochs = [event.epoch for event in recorder.of("epoch_end") if event.phase == "student"]
    best = json.loads((tmp_path / "report.json").read_text())["rows"][-1]["runs"][0]["best_epoch"]
    assert epochs[-1] == best + 2 < 200
    assert recorder.of("progress")[-1].fraction <= 1.0


def test_the_last_layer_may_learn_at_its_own_rate(data: Dataset) -> None:
    trainer = _trainer(data, head_lr_factor=3.0, optimizer={"name": "sgd", "lr": 0.1})
    trainer.train_epoch()
    rates = {group["params"][0].shape: group["lr"] for group in trainer.optimizer.param_groups}
    assert rates[torch.Size([10, 16])] == pytest.approx(0.3)
    assert rates[torch.Size([16, 64])] == pytest.approx(0.1)


def test_frozen_parameters_stay(data: Dataset) -> None:
    architecture = Architecture("mlp", {"hidden": [16]}, data.shape, data.classes, (0.0,), (1.0,))
    network = build(architecture)
    first = next(iter(network.module.parameters()))
    first.requires_grad_(False)
    before = first.clone()
    recipe = TrainingSpec(epochs=1)
    Trainer(network, data, recipe, Objective(network), 0, "student", _Silent()).fit()
    assert first.equal(before)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_divergence_is_noticed_before_the_optimizer_steps(data: Dataset, optimizer: str) -> None:
    trainer = _trainer(data, optimizer=optimizer)
    trainer.train_epoch()
    with torch.no_grad():
        next(iter(trainer.network.module.parameters()))[0, 0] = float("nan")
    before = _weights(trainer.network)
    batch = next(iter(batches(data.train, 200, generator(0, "x"), ())))
    with pytest.raises(DivergedError, match="not finite in epoch 2, step 1"):
        trainer.train_step(batch)
    for name, tensor in trainer.network.module.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_the_fused_optimizers_skip_what_the_device_found_not_finite(data: Dataset, optimizer: str) -> None:
    """What keeps a diverged GPU run from stepping on: the optimiser reads the flag itself, without the host."""
    trainer = _trainer(data, optimizer=optimizer)
    trainer.train_epoch()
    before = _weights(trainer.network)
    for parameter in trainer.network.module.parameters():
        parameter.grad = torch.ones_like(parameter)
    trainer.optimizer.found_inf = torch.ones(())  # type: ignore[attr-defined]
    trainer.optimizer.step()
    assert all(tensor.equal(before[name]) for name, tensor in trainer.network.module.state_dict().items())
    trainer.optimizer.found_inf = torch.zeros(())  # type: ignore[attr-defined]
    trainer.optimizer.step()
    assert not all(tensor.equal(before[name]) for name, tensor in trainer.network.module.state_dict().items())


def test_clipping_bounds_the_gradient(data: Dataset) -> None:
    trainer = _trainer(data, clip_norm=0.01)
    batch = next(iter(batches(data.train, 200, generator(0, "x"), ())))
    trainer.train_step(batch)
    gradients = [parameter.grad for parameter in trainer.network.module.parameters()]
    total = sum(float(gradient.square().sum()) for gradient in gradients if gradient is not None) ** 0.5
    assert total == pytest.approx(0.01, rel=1e-3)
