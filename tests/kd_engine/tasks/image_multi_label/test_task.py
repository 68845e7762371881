"""What is minimised and what the losses of logits compare."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from kd_engine.data.loader import Batch, Mixed
from kd_engine.losses import LOSSES, Outputs
from kd_engine.tasks.image_multi_label.task import ImageMultiLabel

TASK = ImageMultiLabel()
LOGITS_BK = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])
TARGETS_BK = torch.tensor([[1, 0, 1], [0, 0, 0]], dtype=torch.uint8)


def _batch(mixed: Mixed | None = None) -> Batch:
    return Batch(torch.zeros(2, 1, 1, 1, dtype=torch.uint8), TARGETS_BK, torch.arange(2), mixed=mixed)


def test_the_loss_on_labels_is_binary_cross_entropy_and_smoothing_pulls_targets_to_a_half() -> None:
    plain = TASK.supervised_loss(LOGITS_BK, _batch(), 0.0)
    assert plain.item() == pytest.approx(binary_cross_entropy_with_logits(LOGITS_BK, TARGETS_BK.float()).item())
    assert TASK.example_losses(LOGITS_BK, TARGETS_BK).mean().item() == pytest.approx(plain.item())
    half = torch.full((2, 3), 0.5)
    smoothed = TASK.supervised_loss(LOGITS_BK, _batch(), 0.2)
    expected = 0.8 * plain + 0.2 * binary_cross_entropy_with_logits(LOGITS_BK, half)
    assert smoothed.item() == pytest.approx(expected.item())


def test_of_mixed_images_both_rows_of_targets_count_by_their_share() -> None:
    mixed = Mixed(TARGETS_BK.flip(0), torch.tensor([0.25, 0.75]))
    losses_B = TASK.example_losses(LOGITS_BK, TARGETS_BK)
    partners_B = TASK.example_losses(LOGITS_BK, TARGETS_BK.flip(0))
    expected = (mixed.share_B * losses_B + (1 - mixed.share_B) * partners_B).mean()
    assert TASK.supervised_loss(LOGITS_BK, _batch(mixed), 0.0).item() == pytest.approx(expected.item())


def test_a_loss_of_logits_compares_the_yes_and_the_no_of_each_image_and_class() -> None:
    teacher_BK = LOGITS_BK.flip(0)
    student, right_R = TASK.rows(Outputs(LOGITS_BK), TARGETS_BK)
    teacher, _ = TASK.rows(Outputs(teacher_BK), TARGETS_BK)
    value = LOSSES["kl"].model_validate({"temperature": 1})(student, teacher, right_R)

    yes_BK = teacher_BK.sigmoid()
    divergence_BK = yes_BK * (logsigmoid(teacher_BK) - logsigmoid(LOGITS_BK))
    divergence_BK += (1 - yes_BK) * (logsigmoid(-teacher_BK) - logsigmoid(-LOGITS_BK))
    assert value.item() == pytest.approx(divergence_BK.mean().item())
    # what is right is the place of the yes, 0, where the class is there
    assert right_R.tolist() == [0, 1, 0, 1, 1, 1]
    hard = torch.nn.functional.cross_entropy(student.logits_BK, right_R)
    assert hard.item() == pytest.approx(TASK.supervised_loss(LOGITS_BK, _batch(), 0.0).item())
