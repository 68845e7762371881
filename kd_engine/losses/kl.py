"""Soft targets: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv:1503.02531."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kd_engine.losses.base import LogitLoss, Outputs

if TYPE_CHECKING:
    from torch import Tensor


class KL(LogitLoss):
    """T^2 * KL(softmax(z_t / T) || softmax(z_s / T)), summed over classes, averaged over the batch.

    T^2 keeps the size of the gradient about the same whatever T is (section 2 of the paper).
    """

    kind: Literal["kl"] = "kl"
    weight: float = Field(0.9, ge=0, le=1e6, description="Factor of this term; `alpha` in the short form.")
    temperature: float = Field(4.0, gt=0, le=1000, description="Softens both distributions; 1 leaves them as they are.")
    separable: ClassVar[bool] = True

    def __call__(self, student: Outputs, teacher: Outputs, labels_B: Tensor) -> Tensor:
        student_BK, teacher_BK = self.softened(student, teacher, self.temperature)
        log_student_BK, log_teacher_BK = student_BK.log_softmax(dim=1), teacher_BK.log_softmax(dim=1)
        divergence_B = (log_teacher_BK.exp() * (log_teacher_BK - log_student_BK)).sum(dim=1)
        return (divergence_B.mean() * self.temperature**2).float()
