"""Hints: Romero et al., "FitNets: Hints for Thin Deep Nets", 2015, arXiv:1412.6550."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kd_engine.losses.base import FeatureLoss, Outputs, Sizes
from kd_engine.losses.maps import full_precision, map_pair
from kd_engine.schema.errors import InvalidSpecError

if TYPE_CHECKING:
    from torch import Tensor, nn

    Shape = tuple[int, int, int]


class FitNets(FeatureLoss):
    """Mean of (r(F_s) - F_t)^2 at one stage, over all numbers of the map (equation 3 of the paper, without the half).

    r is learnt with the student: a convolution, BatchNorm and ReLU. The convolution is 1x1 where the two maps are of
    one size, 3x3 with stride 2 where the student's is twice as large, and 4x4 transposed with stride 2 where the
    teacher's is. It is a term of the one training here, not a training of its own before it as in the paper.
    """

    kind: Literal["fitnets"] = "fitnets"
    weight: float = Field(100.0, ge=0, le=1e6, description="Factor of this term.")
    stage: int = Field(2, ge=1, le=64, description="Which stage's map is the hint; 1 is the first after the stem.")
    separable: ClassVar[bool] = True

    def misfit(self, student_stages: int, teacher_stages: int) -> str | None:
        problem = super().misfit(student_stages, teacher_stages)
        if problem is None and self.stage > min(student_stages, teacher_stages):
            return (
                f"the loss 'fitnets' takes its hint at stage {self.stage}, but the student has {student_stages} stages "
                f"and the teacher {teacher_stages}. Set 'stage' to {min(student_stages, teacher_stages)} or less."
            )
        return problem

    def check_maps(self, student: tuple[Shape, ...], teacher: tuple[Shape, ...]) -> str | None:
        import torch

        with torch.device("meta"):
            _convolution(student[self.stage - 1], teacher[self.stage - 1])
        return None

    def build(self, sizes: Sizes) -> nn.Module:
        from torch import nn

        stage = self.stage - 1

        class Hint(nn.Module):  # in here, since importing this file must not import torch
            def __init__(self, student: Shape, teacher: Shape) -> None:
                super().__init__()
                self.regressor = nn.Sequential(_convolution(student, teacher), nn.BatchNorm2d(teacher[0]), nn.ReLU())

            def forward(self, student: Outputs, teacher: Outputs, labels_B: Tensor, index_B: Tensor) -> Tensor:
                student_BCHW, teacher_BCHW = map_pair(student, teacher, stage)
                with full_precision(student_BCHW):
                    guess_BCHW: Tensor = self.regressor(student_BCHW)
                    _check_same(guess_BCHW, teacher_BCHW)
                    return (guess_BCHW - teacher_BCHW).square().mean()

        return Hint(sizes.student[stage], sizes.teacher[stage])


def _convolution(student_CHW: Shape, teacher_CHW: Shape) -> nn.Module:
    from torch import nn

    (given, *size), (wanted, *goal) = student_CHW, teacher_CHW
    if size == goal:
        return nn.Conv2d(given, wanted, 1)
    if [(pixels + 1) // 2 for pixels in size] == goal:
        return nn.Conv2d(given, wanted, 3, stride=2, padding=1)
    if [2 * pixels for pixels in size] == goal:
        return nn.ConvTranspose2d(given, wanted, 4, stride=2, padding=1)
    raise InvalidSpecError(
        f"the loss 'fitnets' cannot compare the student's map {list(student_CHW)} with the teacher's "
        f"{list(teacher_CHW)} (channels, height, width): height and width must be equal, half or double. Try another "
        "'stage'."
    )


def _check_same(guess_BCHW: Tensor, teacher_BCHW: Tensor) -> None:
    if guess_BCHW.shape != teacher_BCHW.shape:
        raise InvalidSpecError(
            f"the loss 'fitnets' was built for other feature maps: the regressor gave {list(guess_BCHW.shape)}, the "
            f"teacher {list(teacher_BCHW.shape)}."
        )
