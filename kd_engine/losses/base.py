"""What every distillation loss is: parameters with ranges, and a formula.

Shapes, here and in every loss: B images in the batch, K classes, C channels, H and W of a feature map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pydantic import Field

from kd_engine.schema.errors import InvalidSpecError
from kd_engine.schema.strict_model import StrictModel

if TYPE_CHECKING:
    from torch import Tensor, nn


class Outputs(NamedTuple):
    """What a network said of a batch.

    Attributes:
        logits_BK: scores before softmax, float32 whatever the training precision.
        features: one map `[B, C, H, W]` a stage, first stage first; empty when no loss asked for them.
    """

    logits_BK: Tensor
    features: tuple[Tensor, ...] = ()


MapShape = tuple[int, int, int]
"""(C, H, W) of a feature map."""


class Sizes(NamedTuple):
    """What a loss with a state of its own is built for.

    Attributes:
        student, teacher: (C, H, W) of each stage's feature map.
        labels_N: label of each train image; a batch's `index_B` points into it.
        num_classes: K.
    """

    student: tuple[MapShape, ...]
    teacher: tuple[MapShape, ...]
    labels_N: Tensor
    num_classes: int


class Loss(StrictModel):
    """One term of the objective. The trainer adds `weight * loss(student, teacher, labels)`.

    A subclass sets `kind: Literal["..."] = "..."`, gives `weight` its published default and writes `__call__`,
    which returns the unweighted value as a float32 scalar and sends no gradient to the teacher (`detach` it).

    `separable`: the value is a mean over images, to which each image adds what it says by itself. Processes that train
    together then take some of the images each; without it, every one of them is shown the whole batch.

    `needs_one_class`: it cannot be taken where an image may have several classes.
    """

    kind: str
    weight: float = Field(1.0, ge=0, le=1e6, description="Factor of this term in the objective.")
    warmup_epochs: float = Field(0.0, ge=0, le=10_000, description="Epochs over which the weight rises from 0.")
    uses_features: ClassVar[bool] = False
    needs_one_class: ClassVar[bool] = False
    separable: ClassVar[bool] = False

    def __call__(self, student: Outputs, teacher: Outputs, labels_B: Tensor) -> Tensor:
        raise NotImplementedError(f"the loss '{self.kind}' has no formula")

    def factor(self, epoch: float) -> float:
        """The weight after `epoch` epochs; fractions count."""
        return self.weight * min(1.0, epoch / self.warmup_epochs) if self.warmup_epochs else self.weight

    def misfit(self, student_stages: int, teacher_stages: int) -> str | None:
        """Why this loss cannot compare networks of so many stages; None when it can."""
        return None

    def useless_on_two_classes(self) -> str | None:
        """Why nothing can be learnt from this loss where there are two classes; None where something can."""
        return None

    def weak_on_two_classes(self) -> str | None:
        """What of this loss says nothing where there are two classes; None where all of it does."""
        return None

    def build(self, sizes: Sizes) -> nn.Module | None:
        """For a loss that learns or remembers: a module with `forward(student, teacher, labels_B, index_B)`.

        Its parameters are trained with the student's, its state is in every checkpoint. None for a plain formula.

        Raises:
            InvalidSpecError: the feature maps cannot be compared; the message names both shapes.
        """
        return None


class LogitLoss(Loss):
    """A loss on logits, which may be standardised first: Sun et al. 2024, arXiv:2403.01427, algorithm 1.

    `standardize` turns each image's logits z into (z - mean) / (1e-7 + std) over the classes, for student and teacher
    alike, so that only their relations count and not their size. As in the authors' code, std is the unbiased one
    (divided by K - 1), gradients flow through mean and std, and the temperature comes afterwards, unchanged: softmax of
    the standardised logits over T, times T^2. Their setting for `kl` is T 2, weight 9 and cross-entropy .1.
    """

    standardize: bool = Field(
        False, description="Standardise each image's logits over the classes first: (z - mean) / (1e-7 + std)."
    )

    def useless_on_two_classes(self) -> str | None:
        if not self.standardize:
            return None
        return (
            f"the loss '{self.kind}' with 'standardize' learns nothing on two classes: two standardised logits are "
            "always .71 and -.71, whatever they were. Leave 'standardize' out."
        )

    def prepared(self, student: Outputs, teacher: Outputs) -> tuple[Tensor, Tensor]:
        """What the formula compares: both logits `[B, K]` in float32, standardised if asked, the teacher's detached.

        Raises:
            InvalidSpecError: the two shapes differ.
        """
        student_BK, teacher_BK = student.logits_BK, teacher.logits_BK.detach()
        if student_BK.shape != teacher_BK.shape:
            raise InvalidSpecError(
                f"the loss '{self.kind}' compares logits of one shape, but the student's are {list(student_BK.shape)} "
                f"and the teacher's {list(teacher_BK.shape)} (images, classes)."
            )
        if self.standardize:
            return _standardized(student_BK.float()), _standardized(teacher_BK.float())
        return student_BK.float(), teacher_BK.float()

    def softened(self, student: Outputs, teacher: Outputs, temperature: float) -> tuple[Tensor, Tensor]:
        """`prepared`, over the temperature, in float64.

        Where T is 100 and more, all probabilities are nearly alike: T^2 times their differences would be float32's
        noise.
        """
        student_BK, teacher_BK = self.prepared(student, teacher)
        return student_BK.double() / temperature, teacher_BK.double() / temperature


def _standardized(logits_BK: Tensor) -> Tensor:
    centred_BK = logits_BK - logits_BK.mean(dim=1, keepdim=True)
    return centred_BK / (1e-7 + logits_BK.std(dim=1, keepdim=True))


class FeatureLoss(Loss):
    """A loss on feature maps. `pairs_stages`: it compares them stage by stage, so that each needs its partner."""

    uses_features: ClassVar[bool] = True
    pairs_stages: ClassVar[bool] = False

    def check_maps(self, student: tuple[MapShape, ...], teacher: tuple[MapShape, ...]) -> str | None:
        """Why some of the maps, each stage's, say nothing to this loss; None where all do.

        Raises:
            InvalidSpecError: none does, or they cannot be compared.
        """
        return None

    def misfit(self, student_stages: int, teacher_stages: int) -> str | None:
        counts = f"the student has {student_stages} stages and the teacher {teacher_stages}"
        if min(student_stages, teacher_stages) == 0:
            return f"the loss '{self.kind}' compares feature maps, but {counts}; ensembles and plain layers have none."
        if self.pairs_stages and student_stages != teacher_stages:
            return f"the loss '{self.kind}' compares feature maps stage by stage, but {counts}."
        return None
