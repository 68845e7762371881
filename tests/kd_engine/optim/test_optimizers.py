"""Optimisers against their formulas, written out for one weight."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from kd_engine.optim.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Optimizer, OptimizerSpec

GRADIENTS = [0.5, -0.25, 1.0]


def trained(optimizer: Optimizer) -> float:
    """The weight, 2 at first, after a step for each gradient."""
    weight = torch.nn.Parameter(torch.tensor([2.0]))
    built = optimizer.build([weight])
    for gradient in GRADIENTS:
        weight.grad = torch.tensor([gradient])
        built.step()
    return weight.item()


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd(nesterov: bool) -> None:
    weight, speed = 2.0, 0.0
    for gradient in GRADIENTS:
        slope = gradient + 0.01 * weight
        speed = 0.8 * speed + slope
        weight -= 0.1 * (slope + 0.8 * speed if nesterov else speed)

    assert trained(SGD(lr=0.1, momentum=0.8, weight_decay=0.01, nesterov=nesterov)) == pytest.approx(weight, rel=1e-6)


@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_and_adamw(decoupled: bool) -> None:
    weight, first, second = 2.0, 0.0, 0.0
    for step, gradient in enumerate(GRADIENTS, start=1):
        slope = gradient + (0 if decoupled else 0.1 * weight)
        if decoupled:
            weight -= 0.01 * 0.1 * weight
        first = 0.5 * first + 0.5 * slope
        second = 0.9 * second + 0.1 * slope**2
        weight -= 0.01 * (first / (1 - 0.5**step)) / (math.sqrt(second / (1 - 0.9**step)) + 1e-6)

    optimizer = (AdamW if decoupled else Adam)(lr=0.01, weight_decay=0.1, betas=(0.5, 0.9), eps=1e-6)
    assert trained(optimizer) == pytest.approx(weight, rel=1e-5)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_optimizer_is_known_by_name_and_builds(name: str) -> None:
    optimizer = TypeAdapter(OptimizerSpec).validate_python(name)

    assert isinstance(optimizer, OPTIMIZERS[name])
    assert trained(optimizer) < 2


def test_registry() -> None:
    assert list(OPTIMIZERS) == ["adam", "adamw", "sgd"]


@pytest.mark.parametrize("betas", [[0.9], [0.9, 0.99, 0.999]])
def test_adam_wants_two_betas(betas: list[float]) -> None:
    with pytest.raises(ValidationError, match="betas"):
        Adam.model_validate({"betas": betas})
