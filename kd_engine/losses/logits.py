"""Logit regression: Ba and Caruana, "Do Deep Nets Really Need to be Deep?", 2014, arXiv:1312.6184."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kd_engine.losses.base import LogitLoss, Outputs

if TYPE_CHECKING:
    from torch import Tensor


class Logits(LogitLoss):
    """||z_s - z_t||^2, summed over classes, averaged over the batch (equation 1 of the paper, times two).

    Code that uses `mse_loss` divides by the number of classes K as well: its weight w is w / K here.
    """

    kind: Literal["logits"] = "logits"
    weight: float = Field(0.1, ge=0, le=1e6, description="Factor of this term.")
    separable: ClassVar[bool] = True

    def __call__(self, student: Outputs, teacher: Outputs, labels_B: Tensor) -> Tensor:
        student_BK, teacher_BK = self.prepared(student, teacher)
        return (student_BK - teacher_BK).square().sum(dim=1).mean()
