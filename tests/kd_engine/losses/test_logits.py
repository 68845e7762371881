"""Logit regression against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kd_engine.losses import Outputs
from kd_engine.losses.logits import Logits

LABELS_B = torch.zeros(9, dtype=torch.long)


def test_equals_numpys_sum_over_classes_and_mean_over_the_batch() -> None:
    random = np.random.default_rng(0)
    student_BK, teacher_BK = random.normal(size=(2, 9, 6)).astype(np.float32)

    value = Logits()(Outputs(torch.from_numpy(student_BK)), Outputs(torch.from_numpy(teacher_BK)), LABELS_B)

    pairs = zip(student_BK, teacher_BK, strict=True)
    expected = np.mean([np.sum((student - teacher) ** 2) for student, teacher in pairs])
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_is_mse_times_the_number_of_classes() -> None:
    student_BK, teacher_BK = torch.randn(2, 9, 6, generator=torch.Generator().manual_seed(0))

    value = Logits()(Outputs(student_BK), Outputs(teacher_BK), LABELS_B)

    assert value.item() == pytest.approx(6 * torch.nn.functional.mse_loss(student_BK, teacher_BK).item(), rel=1e-5)


def test_a_value_worked_out_by_hand() -> None:
    student_BK = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    teacher_BK = torch.tensor([[0.0, 4.0], [0.0, 1.0]])

    assert Logits()(Outputs(student_BK), Outputs(teacher_BK), LABELS_B[:2]).item() == (1 + 4 + 0 + 1) / 2
