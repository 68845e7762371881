"""What every distillation loss is: parameters with ranges, and a formula.

Shapes, here and in every loss: B images in the batch, K classes, C channels, H and W of a feature map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pydantic import Field

from kd_engine.strict import Strict

if TYPE_CHECKING:
    from torch import Tensor


class Outputs(NamedTuple):
    """What a network said of a batch.

    Attributes:
        logits_BK: scores before softmax, float32 whatever the training precision.
        features: one map `[B, C, H, W]` a stage, first stage first; empty when no loss asked for them.
    """

    logits_BK: Tensor
    features: tuple[Tensor, ...] = ()


class Loss(Strict):
    """One term of the objective. The trainer adds `weight * loss(student, teacher, labels)`.

    A subclass sets `kind: Literal["..."] = "..."`, gives `weight` its published default and writes `__call__`,
    which returns the unweighted value as a float32 scalar and sends no gradient to the teacher (`detach` it).
    """

    kind: str
    weight: float = Field(1.0, ge=0, le=1e6, description="Factor of this term in the objective.")
    uses_features: ClassVar[bool] = False

    def __call__(self, student: Outputs, teacher: Outputs, labels_B: Tensor) -> Tensor:
        raise NotImplementedError(f"the loss '{self.kind}' has no formula")
