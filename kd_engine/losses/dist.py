"""DIST: Huang et al., "Knowledge Distillation from A Stronger Teacher", 2022, arXiv:2205.10536."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kd_engine.losses.base import LogitLoss, Outputs

if TYPE_CHECKING:
    from torch import Tensor


_BETWEEN_TWO = "the correlation of two pairs of numbers is 1 or -1, and has no gradient."


class DIST(LogitLoss):
    """T^2 * (beta * (1 - mean over images of r) + gamma * (1 - mean over classes of r)), r Pearson's correlation.

    Equations 7 to 10 of the paper: of an image's probabilities softmax(z / T) over the classes in student and teacher,
    and of a class's probabilities over the images of the batch. As in the authors' code, 1e-8 is added to the product
    of the two norms, so a class that no image of the batch is likely to have counts little. T is 4 for CIFAR, 1 for
    ImageNet. Above 4 what is added shrinks with T^4: the norms shrink with T^2, and T^2 stands before the whole.
    """

    kind: Literal["dist"] = "dist"
    weight: float = Field(1.0, ge=0, le=1e6, description="Factor of this term.")
    temperature: float = Field(4.0, gt=0, le=1000, description="Softens both distributions; 1 leaves them as they are.")
    beta: float = Field(2.0, ge=0, le=1e6, description="Factor of the relation between an image's classes.")
    gamma: float = Field(2.0, ge=0, le=1e6, description="Factor of the relation between a class's images.")
    usual: ClassVar[float] = 4.0  # the highest temperature of the paper

    def useless_on_two_classes(self) -> str | None:
        if self.gamma == 0:
            return f"the loss 'dist' without 'gamma' learns nothing on two classes: {_BETWEEN_TWO} Take 'kl'."
        return super().useless_on_two_classes()

    def weak_on_two_classes(self) -> str | None:
        if self.beta == 0:
            return None
        return f"the part 'beta' of 'dist' teaches nothing on two classes: {_BETWEEN_TWO} The rest does; or take 'kl'."

    def __call__(self, student: Outputs, teacher: Outputs, labels_B: Tensor) -> Tensor:
        student_BK, teacher_BK = (scores.softmax(dim=1) for scores in self.softened(student, teacher, self.temperature))
        least = 1e-8 * min(1.0, self.usual / self.temperature) ** 4
        inter = 1 - _pearson(student_BK, teacher_BK, 1, least).mean()
        intra = 1 - _pearson(student_BK, teacher_BK, 0, least).mean()
        return ((self.beta * inter + self.gamma * intra) * self.temperature**2).float()


def _pearson(one_BK: Tensor, other_BK: Tensor, over: int, least: float) -> Tensor:
    one_BK = one_BK - one_BK.mean(dim=over, keepdim=True)
    other_BK = other_BK - other_BK.mean(dim=over, keepdim=True)
    norms: Tensor = one_BK.norm(dim=over) * other_BK.norm(dim=over)
    return (one_BK * other_BK).sum(dim=over) / (norms + least)
