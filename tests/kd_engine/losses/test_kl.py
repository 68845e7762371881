"""Soft targets against two independent formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import kl_div, log_softmax

from kd_engine.losses import Outputs
from kd_engine.losses.kl import KL

LABELS_B = torch.zeros(7, dtype=torch.long)


def logits(seed: int) -> torch.Tensor:
    return torch.randn(7, 4, generator=torch.Generator().manual_seed(seed)) * 4


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0, 1000.0])
def test_equals_torchs_own_divergence(temperature: float) -> None:
    student_BK, teacher_BK = logits(1), logits(2)

    expected = temperature**2 * kl_div(
        log_softmax(student_BK.double() / temperature, dim=1),
        log_softmax(teacher_BK.double() / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )

    value = KL(temperature=temperature)(Outputs(student_BK), Outputs(teacher_BK), LABELS_B)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("temperature", [100.0, 1000.0])
@pytest.mark.parametrize("classes", [10, 1000])
def test_at_high_temperatures_it_is_half_the_variance_of_the_difference(temperature: float, classes: int) -> None:
    """What it comes to as T grows, after section 2.1 of the paper; float32 would have noise there, of any sign."""
    random = torch.Generator().manual_seed(5)
    teacher_BK = torch.randn(64, classes, generator=random)
    student_BK = teacher_BK + 0.1 * torch.randn(64, classes, generator=random)

    value = KL(temperature=temperature)(Outputs(student_BK), Outputs(teacher_BK), LABELS_B)

    expected = 0.5 * (student_BK - teacher_BK).double().var(dim=1, unbiased=False).mean()
    assert value.item() == pytest.approx(expected.item(), rel=0.01)
    same = KL(temperature=temperature)(Outputs(student_BK), Outputs(student_BK.clone()), LABELS_B)
    assert same.item() == 0


@pytest.mark.parametrize("temperature", [1.0, 3.0, 10.0])
def test_equals_a_double_loop_in_plain_python(temperature: float) -> None:
    student_BK, teacher_BK = logits(3), logits(4)

    def softmax(row: list[float]) -> list[float]:
        powers = [math.exp(score / temperature) for score in row]
        return [power / sum(powers) for power in powers]

    total = 0.0
    for student_row, teacher_row in zip(student_BK.tolist(), teacher_BK.tolist(), strict=True):
        for p_student, p_teacher in zip(softmax(student_row), softmax(teacher_row), strict=True):
            total += p_teacher * (math.log(p_teacher) - math.log(p_student))

    value = KL(temperature=temperature)(Outputs(student_BK), Outputs(teacher_BK), LABELS_B)
    assert value.item() == pytest.approx(temperature**2 * total / len(student_BK), rel=1e-4)


def test_a_value_worked_out_by_hand() -> None:
    # the teacher says (3/4, 1/4), the student (1/2, 1/2): 3/4 log(3/2) + 1/4 log(1/2) at T = 1
    student_BK, teacher_BK = torch.tensor([[0.0, 0.0]]), torch.tensor([[math.log(3), 0.0]])

    value = KL(temperature=1)(Outputs(student_BK), Outputs(teacher_BK), LABELS_B[:1])

    assert value.item() == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5), rel=1e-6)


def test_gradient_keeps_its_size_at_high_temperatures() -> None:
    def gradient(temperature: float) -> float:
        student_BK = logits(1).requires_grad_()
        KL(temperature=temperature)(Outputs(student_BK), Outputs(logits(2)), LABELS_B).backward()  # type: ignore[no-untyped-call]
        assert student_BK.grad is not None
        return float(student_BK.grad.norm())

    # without T^2 the second would be a hundredth of the first
    assert gradient(1000) == pytest.approx(gradient(100), rel=0.05)
