"""Relational knowledge distillation: Park et al., "Relational Knowledge Distillation", 2019, arXiv:1904.05068."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kd_engine.losses.base import FeatureLoss, Outputs
from kd_engine.losses.maps import full_precision, map_pair, unit_rows

if TYPE_CHECKING:
    from torch import Tensor


class RKD(FeatureLoss):
    """distance * mean Huber(d_s, d_t) + angle * mean Huber(a_s, a_t), on the last stage's maps averaged over pixels.

    d is the distance of two images over the mean of all such distances (equations 4 to 6 of the paper), a the cosine of
    the angle that two images make at a third (equations 7 to 9); means over all B^2 pairs and B^3 triples, Huber's
    threshold 1. It needs memory for B^3 numbers: keep the batch below some 500 images.
    """

    kind: Literal["rkd"] = "rkd"
    weight: float = Field(1.0, ge=0, le=1e6, description="Factor of this term.")
    distance: float = Field(25.0, ge=0, le=1e6, description="Factor of the part on distances.")
    angle: float = Field(50.0, ge=0, le=1e6, description="Factor of the part on angles.")

    def __call__(self, student: Outputs, teacher: Outputs, labels_B: Tensor) -> Tensor:
        from torch.nn.functional import smooth_l1_loss

        student_BCHW, teacher_BCHW = map_pair(student, teacher, stage=-1)
        with full_precision(student_BCHW):
            student_BBC, teacher_BBC = _differences(student_BCHW), _differences(teacher_BCHW)
            distance = smooth_l1_loss(_distances(student_BBC), _distances(teacher_BBC))
            angle = smooth_l1_loss(_angles(student_BBC), _angles(teacher_BBC))
            return self.distance * distance + self.angle * angle


def _differences(features_BCHW: Tensor) -> Tensor:
    pooled_BC = features_BCHW.mean(dim=(2, 3))
    return pooled_BC.unsqueeze(0) - pooled_BC.unsqueeze(1)


def _distances(differences_BBC: Tensor) -> Tensor:
    distances_BB: Tensor = differences_BBC.norm(dim=2)
    pairs = len(distances_BB) * (len(distances_BB) - 1)  # an image and itself are no pair
    mean = distances_BB.sum() / max(pairs, 1)
    return distances_BB / mean.masked_fill(mean == 0, 1.0)


def _angles(differences_BBC: Tensor) -> Tensor:
    """Cosines `[B, B, B]`: at the first image, between the second and the third."""
    directions_BBC = unit_rows(differences_BBC)
    return directions_BBC @ directions_BBC.transpose(1, 2)
