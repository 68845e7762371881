"""What a network in training minimises: ce_weight * CE + sum of weight * loss(student, teacher).

Shapes: B images in the batch, K classes.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from kd_engine.losses import Loss, Outputs
from kd_engine.network import Network


class Objective:
    """The weighted sum of cross-entropy and the distillation terms; a context manager that removes its feature taps.

    Without losses it is cross-entropy alone and needs no teacher. The teacher is frozen here: eval mode, no gradients.
    """

    def __init__(
        self,
        network: Network,
        *,
        ce_weight: float = 1.0,
        label_smoothing: float = 0.0,
        losses: tuple[Loss, ...] = (),
        teacher: Network | None = None,
    ) -> None:
        self._network = network
        self._ce_weight = ce_weight
        self._label_smoothing = label_smoothing
        self._losses = losses
        self._teacher = teacher
        if teacher is not None:
            teacher.freeze()
        features = any(loss.uses_features for loss in losses)
        self._tap = network.tap() if features else None
        self._teacher_tap = teacher.tap() if features and teacher is not None else None

    def terms(self, images_BCHW: Tensor, labels_B: Tensor) -> dict[str, Tensor]:
        """Each term with its weight, by name, as float32 scalars; the objective is their sum."""
        student = self._network.outputs(images_BCHW, self._tap)
        terms = {}
        if self._ce_weight > 0:
            hard = cross_entropy(student.logits_BK, labels_B, label_smoothing=self._label_smoothing)
            terms["ce"] = self._ce_weight * hard
        if self._losses:
            teacher = self._teach(images_BCHW)
            for position, loss in enumerate(self._losses):
                terms[f"{loss.kind}[{position}]"] = loss.weight * loss(student, teacher, labels_B)
        return terms

    def _teach(self, images_BCHW: Tensor) -> Outputs:
        assert self._teacher is not None, "distillation losses need a teacher"
        with torch.no_grad():
            return self._teacher.outputs(images_BCHW, self._teacher_tap)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for tap in (self._tap, self._teacher_tap):
            if tap is not None:
                tap.__exit__(kind, error, at)
