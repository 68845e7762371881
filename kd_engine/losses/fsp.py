"""Flow of solution procedure: Yim et al., "A Gift from Knowledge Distillation", CVPR 2017."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kd_engine.losses.base import FeatureLoss, MapShape, Outputs, Sizes
from kd_engine.losses.maps import full_precision, map_pairs
from kd_engine.schema.errors import InvalidSpecError

if TYPE_CHECKING:
    from torch import Tensor


class FSP(FeatureLoss):
    """Sum over consecutive stages of mean((G_t - G_s)^2), G the products of their channels averaged over pixels.

    Equations 1 and 2 of the paper: G[i, j] = sum over pixels of F1[i] F2[j], over their number; the mean is over images
    and entries. Where two consecutive maps differ in height or width, the larger one is max-pooled to the smaller, as
    in the paper. G is channels by channels, so student and teacher need the same channels at each stage.
    """

    kind: Literal["fsp"] = "fsp"
    weight: float = Field(1.0, ge=0, le=1e6, description="Factor of this term.")
    pairs_stages: ClassVar[bool] = True
    separable: ClassVar[bool] = True

    def __call__(self, student: Outputs, teacher: Outputs, labels_B: Tensor) -> Tensor:
        pairs = map_pairs(student, teacher)
        _check_channels([(one.shape[1:], other.shape[1:]) for one, other in pairs])
        with full_precision(pairs[0][0]):
            values = [
                (_gram(teacher_before, teacher_after) - _gram(student_before, student_after)).square().mean()
                for (student_before, teacher_before), (student_after, teacher_after) in pairwise(pairs)
            ]
            total = values[0]
            for value in values[1:]:
                total = total + value
        return total

    def misfit(self, student_stages: int, teacher_stages: int) -> str | None:
        problem = super().misfit(student_stages, teacher_stages)
        if problem is None and student_stages < 2:
            return "the loss 'fsp' compares consecutive stages, but the networks have one stage."
        return problem

    def check_maps(self, student: tuple[MapShape, ...], teacher: tuple[MapShape, ...]) -> str | None:
        _check_channels(list(zip(student, teacher, strict=True)))
        return None

    def build(self, sizes: Sizes) -> None:
        self.check_maps(sizes.student, sizes.teacher)


def _check_channels(shapes: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    for stage, (student_CHW, teacher_CHW) in enumerate(shapes, start=1):
        if student_CHW[0] != teacher_CHW[0]:
            raise InvalidSpecError(
                f"the loss 'fsp' needs the same channels at each stage, but at stage {stage} the student's map is "
                f"{list(student_CHW)} and the teacher's {list(teacher_CHW)} (channels, height, width). Take networks "
                "of one family, or a loss without this need, such as 'at', 'sp' or 'fitnets'."
            )


def _gram(before_BCHW: Tensor, after_BCHW: Tensor) -> Tensor:
    from torch.nn.functional import adaptive_max_pool2d

    size = (
        min(before_BCHW.shape[2], after_BCHW.shape[2]),
        min(before_BCHW.shape[3], after_BCHW.shape[3]),
    )
    before_BCP = adaptive_max_pool2d(before_BCHW, size).flatten(2)  # P pixels
    after_BCP = adaptive_max_pool2d(after_BCHW, size).flatten(2)
    return before_BCP @ after_BCP.transpose(1, 2) / before_BCP.shape[2]
