"""Logit standardisation before any logit loss, against numpy and the standard library. B images, K classes."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
import torch

from kd_engine.losses import LOSSES, Outputs
from kd_engine.losses.base import LogitLoss
from kd_engine.losses.kl import KL
from kd_engine.losses.logits import Logits

B, K = 7, 4
LABELS_B = torch.arange(B) % K
LOGIT_LOSSES = [kind for kind, cls in LOSSES.items() if issubclass(cls, LogitLoss)]


def logits(seed: int) -> torch.Tensor:
    return torch.randn(B, K, generator=torch.Generator().manual_seed(seed)) * 4 + 1


def standardized(row: list[float]) -> list[float]:
    """`statistics.stdev` divides by K - 1."""
    return [(score - statistics.mean(row)) / (1e-7 + statistics.stdev(row)) for score in row]


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_soft_targets_equal_a_loop_in_plain_python(temperature: float) -> None:
    student_BK, teacher_BK = logits(1), logits(2)

    def softmax(row: list[float]) -> list[float]:
        powers = [math.exp(score / temperature) for score in standardized(row)]
        return [power / sum(powers) for power in powers]

    total = 0.0
    for student_row, teacher_row in zip(student_BK.tolist(), teacher_BK.tolist(), strict=True):
        for p_student, p_teacher in zip(softmax(student_row), softmax(teacher_row), strict=True):
            total += p_teacher * math.log(p_teacher / p_student)

    loss = KL(temperature=temperature, standardize=True)
    value = loss(Outputs(student_BK), Outputs(teacher_BK), LABELS_B)
    assert value.item() == pytest.approx(temperature**2 * total / B, rel=1e-4)


def test_logit_regression_equals_numpy() -> None:
    student_BK, teacher_BK = logits(3), logits(4)

    value = Logits(standardize=True)(Outputs(student_BK), Outputs(teacher_BK), LABELS_B)

    z_student, z_teacher = (
        (z - z.mean(axis=1, keepdims=True)) / (1e-7 + z.std(axis=1, ddof=1, keepdims=True))
        for z in (student_BK.double().numpy(), teacher_BK.double().numpy())
    )
    assert value.item() == pytest.approx(np.sum((z_student - z_teacher) ** 2) / B, rel=1e-5)


@pytest.mark.parametrize("kind", LOGIT_LOSSES)
def test_neither_size_nor_place_of_the_logits_counts(kind: str) -> None:
    loss = LOSSES[kind].model_validate({"standardize": True})
    student_BK, teacher_BK = logits(5), logits(6)

    value = loss(Outputs(student_BK), Outputs(teacher_BK), LABELS_B)
    moved = loss(Outputs(student_BK * 3 - 2), Outputs(teacher_BK * 0.2 + 5), LABELS_B)

    assert moved.item() == pytest.approx(value.item(), rel=1e-3)


@pytest.mark.parametrize("kind", LOGIT_LOSSES)
def test_is_the_loss_itself_on_standardized_logits(kind: str) -> None:
    student_BK, teacher_BK = logits(7), logits(8)
    student, teacher = (
        Outputs(torch.tensor([standardized(row) for row in z.tolist()])) for z in (student_BK, teacher_BK)
    )

    value = LOSSES[kind].model_validate({"standardize": True})(Outputs(student_BK), Outputs(teacher_BK), LABELS_B)

    expected = LOSSES[kind].model_validate({})(student, teacher, LABELS_B)
    assert value.item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("kind", LOGIT_LOSSES)
def test_is_off_unless_asked_for(kind: str) -> None:
    written = LOSSES[kind].model_validate({}).model_dump()

    assert written["standardize"] is False


def test_gradient_flows_through_mean_and_deviation() -> None:
    """Such a gradient has no part along (1, ..., 1), and none along the logits: neither changes the value."""
    student_BK = logits(9).requires_grad_()

    KL(standardize=True)(Outputs(student_BK), Outputs(logits(10)), LABELS_B).backward()  # type: ignore[no-untyped-call]

    assert student_BK.grad is not None
    size_B = student_BK.grad.norm(dim=1)
    assert (student_BK.grad.sum(dim=1).abs() < 1e-5 * size_B.clamp_min(1e-3)).all()
    along_B = (student_BK.grad * (student_BK - student_BK.mean(dim=1, keepdim=True))).sum(dim=1)
    assert (along_B.abs() < 1e-4 * size_B.clamp_min(1e-3)).all()
