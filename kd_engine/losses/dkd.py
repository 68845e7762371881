"""Decoupled knowledge distillation: Zhao et al., "Decoupled Knowledge Distillation", 2022, arXiv:2203.08679."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kd_engine.losses.base import LogitLoss, Outputs

if TYPE_CHECKING:
    from torch import Tensor


class DKD(LogitLoss):
    """T^2 * (alpha * KL over [target, the rest] + beta * KL over the classes that are not the target).

    Equation 7 of the paper: both teacher first, averaged over the batch; the second over softmax(z / T) of the other
    classes alone. Paper: beta 8, but 2 for resnet56 -> resnet20 and resnet110 -> resnet32, and 6 for VGG and wide
    ResNet pairs. The weight rises over the first 20 epochs, so a job of fewer epochs should shorten `warmup_epochs`.
    """

    kind: Literal["dkd"] = "dkd"
    weight: float = Field(1.0, ge=0, le=1e6, description="Factor of this term.")
    warmup_epochs: float = Field(20.0, ge=0, le=10_000, description="Epochs over which the weight rises from 0.")
    temperature: float = Field(4.0, gt=0, le=1000, description="Softens both distributions; 1 leaves them as they are.")
    alpha: float = Field(1.0, ge=0, le=1e6, description="Factor of the part on the target class against the rest.")
    beta: float = Field(8.0, ge=0, le=1e6, description="Factor of the part on the classes that are not the target.")
    separable: ClassVar[bool] = True

    def __call__(self, student: Outputs, teacher: Outputs, labels_B: Tensor) -> Tensor:
        student_BK, teacher_BK = self.softened(student, teacher, self.temperature)
        target_student_B1, others_student_BJ = _split(student_BK, labels_B)
        target_teacher_B1, others_teacher_BJ = _split(teacher_BK, labels_B)
        target_B = _divergence(
            _against_rest(target_teacher_B1, others_teacher_BJ), _against_rest(target_student_B1, others_student_BJ)
        )
        others_B = _divergence(others_teacher_BJ, others_student_BJ)
        value_B = self.alpha * target_B + self.beta * others_B
        return (value_B.mean() * self.temperature**2).float()


def _split(scores_BK: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor]:
    """The target's score, and those of the J = K - 1 other classes in their order."""
    import torch

    target_B1 = labels_B.unsqueeze(1)
    place_J = torch.arange(scores_BK.shape[1] - 1, device=scores_BK.device)
    others_BJ = place_J + (place_J >= target_B1).long()
    return scores_BK.gather(1, target_B1), scores_BK.gather(1, others_BJ)


def _against_rest(target_B1: Tensor, others_BJ: Tensor) -> Tensor:
    """Two scores `[B, 2]` whose softmax is the probability of the target and of all others together."""
    import torch

    return torch.cat([target_B1, others_BJ.logsumexp(dim=1, keepdim=True)], dim=1)


def _divergence(teacher_BJ: Tensor, student_BJ: Tensor) -> Tensor:
    """KL(softmax(teacher) || softmax(student)) of each row; in logarithms, so that a sure teacher gives no NaN."""
    log_teacher_BJ, log_student_BJ = teacher_BJ.log_softmax(dim=1), student_BJ.log_softmax(dim=1)
    return (log_teacher_BJ.exp() * (log_teacher_BJ - log_student_BJ)).sum(dim=1)
