"""What a network said of each image of a split. Shapes: B images in a batch, N in the split, K classes, R seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from kd_engine.distributed.world import World
from kd_engine.schema.errors import DivergedError
from kd_engine.statistics.calibration import calibration_error
from kd_engine.statistics.intervals import (
    CONFIDENCE,
    Estimate,
    error_of_images,
    of_accuracies,
    of_accuracy_differences,
    of_calibration_differences,
    of_mean_differences,
)


@dataclass(frozen=True)
class ClassScores:
    """One network's answers, image by image in the split's order, on the CPU; of several seeds with a dimension R.

    Attributes:
        labels_N: the right classes, int64.
        predicted_N: the class of the highest logit, int64.
        nll_N: cross-entropy in nats, float32.
        confidence_N: the probability of the predicted class, float32.
    """

    labels_N: Tensor
    predicted_N: Tensor
    nll_N: Tensor
    confidence_N: Tensor

    @property
    def correct(self) -> Tensor:
        """Whether each image was named right, `[N]`."""
        return self.predicted_N == self.labels_N

    @property
    def calibration_error(self) -> float:
        return calibration_error(self.confidence_N, self.correct)

    @classmethod
    def stacked(cls, scores: Sequence[ClassScores]) -> ClassScores:
        """Of several networks on the same images, `[R, N]` each."""
        return cls(*(torch.stack([getattr(one, name) for one in scores]) for name in cls.__dataclass_fields__))

    def estimate(self, name: str) -> Estimate:
        """Of `accuracy` alone."""
        assert name == "accuracy", name
        return of_accuracies(self.correct.reshape(-1, self.correct.shape[-1]))

    def less(self, other: ClassScores, name: str, confidence: float = CONFIDENCE) -> Estimate:
        """Of `accuracy`, `loss` and `ece`."""
        one, two = (scores if scores.labels_N.ndim > 1 else ClassScores.stacked([scores]) for scores in (self, other))
        if name == "accuracy":
            return of_accuracy_differences(one.correct, two.correct, confidence)
        if name == "loss":
            return of_mean_differences(one.nll_N, two.nll_N, confidence)
        assert name == "ece", name
        return of_calibration_differences((one.confidence_N, one.correct), (two.confidence_N, two.correct), confidence)

    def error_over_images(self, other: ClassScores) -> float:
        """Of the accuracy."""
        difference_N = self.correct.double() - other.correct.double()
        if difference_N.ndim > 1:
            return error_of_images(difference_N, images=2, squares=1.0)
        images = len(difference_N) + 2  # as in statistics.of_paired_difference
        return math.sqrt((float((difference_N**2).sum()) + 1) / images / images)

    def to_tree(self) -> dict[str, Any]:
        """As a checkpoint's tree; the labels are the data set's and stay there."""
        return {"predicted": self.predicted_N.int(), "nll": self.nll_N, "confidence": self.confidence_N}

    @classmethod
    def from_tree(cls, tree: dict[str, Any], labels_N: Tensor) -> ClassScores:
        return cls(labels_N.cpu(), tree["predicted"].long(), tree["nll"], tree["confidence"])


class ClassMeter:
    """Accuracy and cross-entropy as sums that stay on the device: for a look after each epoch."""

    def __init__(self) -> None:
        self._sums: list[tuple[Tensor, ...]] = []
        self._sum_3 = torch.zeros(3, dtype=torch.float64)  # of no batches

    def update(self, logits_BK: Tensor, targets_B: Tensor, teacher_BK: Tensor | None = None) -> None:
        correct = (logits_BK.argmax(dim=1) == targets_B).sum().double()
        loss = cross_entropy(logits_BK, targets_B, reduction="sum").double()
        self._sums.append((correct, loss, torch.full_like(loss, len(targets_B))))

    def merge(self, world: World, device: torch.device) -> None:
        self._sum_3 = self._sum_3.to(device)
        if self._sums:
            self._sum_3 = torch.stack([torch.stack(values).sum() for values in zip(*self._sums, strict=True)])
        world.sum_([self._sum_3])

    def metrics(self) -> dict[str, float]:
        correct, loss, images = self._sum_3.tolist()
        return {"accuracy": correct / images, "loss": loss / images}


class ClassEvaluator:
    """Every image's scores; sums of what no interval is made of: the five best classes, and a teacher's answers."""

    def __init__(self) -> None:
        self._parts: list[ClassScores] = []
        self._sums: dict[str, float] = {}

    def update(self, logits_BK: Tensor, targets_B: Tensor, teacher_BK: Tensor | None = None) -> None:
        if not bool(logits_BK.isfinite().all()):
            raise DivergedError("the network's outputs on the test images are not finite: its training diverged.")
        # float64: a confident network's losses are smaller than float32's rounding of its probabilities
        log_p_BK = logits_BK.double().log_softmax(dim=1)
        nll_B = -log_p_BK.gather(1, targets_B[:, None])[:, 0]
        confidence_B = log_p_BK.amax(dim=1).exp().float()
        self._parts.append(ClassScores(targets_B, logits_BK.argmax(dim=1), nll_B.float(), confidence_B))
        if logits_BK.shape[1] > 5:
            best_B5 = logits_BK.topk(5, dim=1).indices
            self._add("top5", (best_B5 == targets_B[:, None]).sum())
        if teacher_BK is not None:
            log_t_BK = teacher_BK.double().log_softmax(dim=1)
            self._add("teacher_agreement", (teacher_BK.argmax(dim=1) == logits_BK.argmax(dim=1)).sum())
            self._add("teacher_kl", (log_t_BK.exp() * (log_t_BK - log_p_BK)).sum())

    def _add(self, name: str, value: Tensor) -> None:
        self._sums[name] = self._sums.get(name, 0.0) + float(value)

    def merge(self, world: World, device: torch.device) -> None:
        assert world.size == 1, "the test split is looked at by each process"

    def scores(self) -> ClassScores:
        names = ClassScores.__dataclass_fields__
        return ClassScores(*(torch.cat([getattr(part, name) for part in self._parts]).cpu() for name in names))

    def metrics(self) -> dict[str, float]:
        scores = self.scores()
        images = len(scores.labels_N)
        means = {name: value / images for name, value in self._sums.items()}
        return {
            "accuracy": int(scores.correct.sum()) / images,
            "loss": float(scores.nll_N.double().mean()),
            "ece": scores.calibration_error,
            **means,
        }
