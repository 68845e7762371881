"""Similarity preserving: Tung and Mori, "Similarity-Preserving Knowledge Distillation", 2019, arXiv:1907.09682."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kd_engine.losses.base import FeatureLoss, Outputs
from kd_engine.losses.maps import full_precision, map_pair, unit_rows

if TYPE_CHECKING:
    from torch import Tensor


class SP(FeatureLoss):
    """||G_t - G_s||_F^2 / B^2, G the products F F^T of the last stage's flattened maps, each row of L2 norm 1.

    Equations 1 to 4 of the paper, at the last stage alone. G is images by images, so any two maps can be compared.
    """

    kind: Literal["sp"] = "sp"
    weight: float = Field(3000.0, ge=0, le=1e6, description="Factor of this term.")

    def __call__(self, student: Outputs, teacher: Outputs, labels_B: Tensor) -> Tensor:
        student_BCHW, teacher_BCHW = map_pair(student, teacher, stage=-1)
        with full_precision(student_BCHW):
            return (_similarities(teacher_BCHW) - _similarities(student_BCHW)).square().mean()


def _similarities(features_BCHW: Tensor) -> Tensor:
    flat_BD = features_BCHW.flatten(1)
    return unit_rows(flat_BD @ flat_BD.T)
