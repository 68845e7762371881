"""Decoupled distillation against the paper's equations in plain Python. B images, K classes."""

from __future__ import annotations

import math

import pytest
import torch

from kd_engine.losses import Outputs
from kd_engine.losses.dkd import DKD
from kd_engine.losses.kl import KL

B, K = 9, 5
LABELS_B = torch.tensor([0, 1, 2, 3, 4, 4, 0, 2, 2])


def logits(seed: int) -> torch.Tensor:
    return torch.randn(B, K, generator=torch.Generator().manual_seed(seed)) * 4


def softmax(scores: list[float]) -> list[float]:
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def divergence(teacher: list[float], student: list[float]) -> float:
    return sum(t * math.log(t / s) for t, s in zip(teacher, student, strict=True))


def parts(student: list[float], teacher: list[float], label: int, temperature: float) -> tuple[float, float, float]:
    """Target part, part of the others, and the teacher's probability of the target (equations 3 to 6)."""
    p_student = softmax([score / temperature for score in student])
    p_teacher = softmax([score / temperature for score in teacher])
    target = divergence([p_teacher[label], 1 - p_teacher[label]], [p_student[label], 1 - p_student[label]])
    hat_student = [p / (1 - p_student[label]) for k, p in enumerate(p_student) if k != label]
    hat_teacher = [p / (1 - p_teacher[label]) for k, p in enumerate(p_teacher) if k != label]
    return target, divergence(hat_teacher, hat_student), p_teacher[label]


def reference(student_BK: torch.Tensor, teacher_BK: torch.Tensor, alpha: float, beta: float, t: float) -> float:
    total = 0.0
    for student, teacher, label in zip(student_BK.tolist(), teacher_BK.tolist(), LABELS_B.tolist(), strict=True):
        target, others, _ = parts(student, teacher, label, t)
        total += alpha * target + beta * others
    return t**2 * total / len(student_BK)


@pytest.mark.parametrize(("alpha", "beta", "temperature"), [(1, 8, 4), (1, 0, 4), (0, 1, 4), (2, 0.5, 1), (1, 6, 20)])
def test_equals_the_papers_equations_in_plain_python(alpha: float, beta: float, temperature: float) -> None:
    student_BK, teacher_BK = logits(1), logits(2)

    loss = DKD(alpha=alpha, beta=beta, temperature=temperature)
    value = loss(Outputs(student_BK), Outputs(teacher_BK), LABELS_B)

    assert value.item() == pytest.approx(reference(student_BK, teacher_BK, alpha, beta, temperature), rel=1e-4)


def test_soft_targets_are_the_two_parts_with_the_papers_weight() -> None:
    """Equation 6: KL = target part + (1 - p_t) * part of the others, for a single image."""
    for image in range(B):
        student, teacher, label = (
            logits(3)[image : image + 1],
            logits(4)[image : image + 1],
            LABELS_B[image : image + 1],
        )
        rest = 1 - parts(student[0].tolist(), teacher[0].tolist(), int(label), 4.0)[2]

        value = DKD(alpha=1, beta=rest)(Outputs(student), Outputs(teacher), label)

        soft = KL(temperature=4)(Outputs(student), Outputs(teacher), label)
        assert value.item() == pytest.approx(soft.item(), rel=1e-4)


def test_equals_masked_softmax_of_the_authors_code() -> None:
    """There the target is pushed out of the softmax by 1000, and the two-class part works on probabilities."""
    student_BK, teacher_BK = (logits(seed) / 4.0 for seed in (5, 6))
    mask_BK = torch.nn.functional.one_hot(LABELS_B, K)
    p_student, p_teacher = student_BK.softmax(1), teacher_BK.softmax(1)
    two = [torch.stack([(p * mask_BK).sum(1), (p * (1 - mask_BK)).sum(1)], dim=1) for p in (p_student, p_teacher)]
    target = torch.nn.functional.kl_div(two[0].log(), two[1], reduction="sum") * 16 / B
    others = torch.nn.functional.kl_div(
        (student_BK - 1000.0 * mask_BK).log_softmax(1), (teacher_BK - 1000.0 * mask_BK).softmax(1), reduction="sum"
    )

    value = DKD()(Outputs(student_BK * 4), Outputs(teacher_BK * 4), LABELS_B)

    assert value.item() == pytest.approx((target + 8 * others * 16 / B).item(), rel=1e-4)


def test_a_teacher_that_is_sure_gives_finite_gradients() -> None:
    teacher_BK = torch.nn.functional.one_hot(LABELS_B, K) * 1e4
    student_BK = logits(7).requires_grad_()

    value = DKD()(Outputs(student_BK), Outputs(teacher_BK), LABELS_B)
    value.backward()  # type: ignore[no-untyped-call]

    assert torch.isfinite(value)
    assert student_BK.grad is not None
    assert torch.isfinite(student_BK.grad).all()


def test_two_classes_leave_the_target_part_alone() -> None:
    student_BK, teacher_BK, labels_B = logits(8)[:, :2], logits(9)[:, :2], LABELS_B % 2

    value = DKD()(Outputs(student_BK), Outputs(teacher_BK), labels_B)

    assert value.item() == pytest.approx(KL()(Outputs(student_BK), Outputs(teacher_BK), labels_B).item(), rel=1e-4)


def test_published_defaults() -> None:
    loss = DKD()

    assert (loss.temperature, loss.alpha, loss.beta, loss.warmup_epochs, loss.weight) == (4, 1, 8, 20, 1)
    assert [loss.factor(epoch) for epoch in (0, 5, 20, 100)] == [0, 0.25, 1, 1]
