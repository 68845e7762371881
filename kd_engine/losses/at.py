"""Attention transfer: Zagoruyko and Komodakis, "Paying More Attention to Attention", 2017, arXiv:1612.03928."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kd_engine.losses.base import FeatureLoss, MapShape, Outputs, Sizes
from kd_engine.losses.maps import map_pairs
from kd_engine.schema.errors import InvalidSpecError

if TYPE_CHECKING:
    from torch import Tensor


class AT(FeatureLoss):
    """Sum over stages of mean((Q_s - Q_t)^2), Q the L2-normalised flattened channel mean of F^2 (equation 2, p = 2).

    Where the two maps differ in height or width, the larger one is average-pooled to the smaller.
    """

    kind: Literal["at"] = "at"
    weight: float = Field(1000.0, ge=0, le=1e6, description="Factor of this term.")
    pairs_stages: ClassVar[bool] = True
    separable: ClassVar[bool] = True

    def check_maps(self, student: tuple[MapShape, ...], teacher: tuple[MapShape, ...]) -> str | None:
        stages = list(zip(student, teacher, strict=True))
        bare = [stage for stage, pair in enumerate(stages, start=1) if min(h * w for _, h, w in pair) == 1]
        if not bare:
            return None
        why = "of one pixel, and where a single pixel looks says nothing"
        if len(bare) == len(stages):
            raise InvalidSpecError(
                f"the loss 'at' compares where the maps look, but at every stage a map is {why}: the loss would be 0. "
                "Take larger images, or a loss such as 'kl' or 'fitnets'."
            )
        return (
            f"'at' learns from {len(stages) - len(bare)} of {len(stages)} stages: at {', '.join(map(str, bare))} a map "
            f"is {why}. Take larger images for all of them."
        )

    def build(self, sizes: Sizes) -> None:
        self.check_maps(sizes.student, sizes.teacher)

    def __call__(self, student: Outputs, teacher: Outputs, labels_B: Tensor) -> Tensor:
        per_stage = [_stage_loss(*pair) for pair in map_pairs(student, teacher)]
        total = per_stage[0]
        for stage in per_stage[1:]:
            total = total + stage
        return total


def _stage_loss(student_BCHW: Tensor, teacher_BCHW: Tensor) -> Tensor:
    from torch.nn.functional import adaptive_avg_pool2d

    height = min(student_BCHW.shape[2], teacher_BCHW.shape[2])
    width = min(student_BCHW.shape[3], teacher_BCHW.shape[3])
    student_BN = _attention(adaptive_avg_pool2d(student_BCHW, (height, width)))
    teacher_BN = _attention(adaptive_avg_pool2d(teacher_BCHW, (height, width)))
    return (student_BN - teacher_BN).square().mean()


def _attention(features_BCHW: Tensor) -> Tensor:
    from torch.nn.functional import normalize

    return normalize(features_BCHW.square().mean(dim=1).flatten(1), dim=1)
