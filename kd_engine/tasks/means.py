"""Scores of a task whose metrics are all means over images. Shapes: B images in a batch, N in the split, R seeds.

A task of its own kind of answers says what each image adds to each metric; the rest is here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kd_engine.distributed.world import World
from kd_engine.schema.errors import DivergedError
from kd_engine.statistics.intervals import CONFIDENCE, Estimate, of_mean_differences, of_means

Columns = Callable[[Tensor, Tensor], Mapping[str, Tensor]]
"""Of logits and targets of a batch, by the name of the metric, what each image adds to the mean, `[B]`."""


@dataclass(frozen=True)
class MeanScores:
    """A column an image for each metric, on the CPU; of several seeds `[R, N]`.

    Attributes:
        columns: float64, by the name of the metric.
        predicted: what the network said, in the form of the targets.
        targets: what is right.
    """

    columns: Mapping[str, Tensor]
    predicted: Tensor
    targets: Tensor

    @classmethod
    def stacked(cls, scores: Sequence[MeanScores]) -> MeanScores:
        first = scores[0]
        columns = {name: torch.stack([one.columns[name] for one in scores]) for name in first.columns}
        return cls(columns, first.predicted, first.targets)

    def estimate(self, name: str) -> Estimate:
        return of_means(self._by_seed(name))

    def less(self, other: MeanScores, name: str, confidence: float = CONFIDENCE) -> Estimate:
        return of_mean_differences(self._by_seed(name), other._by_seed(name), confidence)

    def error_over_images(self, other: MeanScores) -> float:
        difference_N = next(iter(self.columns.values())) - next(iter(other.columns.values()))
        return float(difference_N.std()) / math.sqrt(len(difference_N))

    def to_tree(self) -> dict[str, Any]:
        return {"columns": dict(self.columns), "predicted": self.predicted}

    @classmethod
    def from_tree(cls, tree: dict[str, Any], targets: Tensor) -> MeanScores:
        return cls(tree["columns"], tree["predicted"], targets.cpu())

    def _by_seed(self, name: str) -> Tensor:
        values = self.columns[name]
        return values if values.ndim > 1 else values[None]


class MeanEvaluator:
    """Gathers such scores, and how often a teacher says the same.

    Args:
        columns: the first is that of the metric that decides; one is `loss`.
        predicted: what a network says, of its logits.
    """

    def __init__(self, columns: Columns, predicted: Callable[[Tensor], Tensor]) -> None:
        self._columns, self._predicted = columns, predicted
        self._parts: list[MeanScores] = []
        self._sums: Mapping[str, float] = {}
        self._agreed: list[Tensor] = []

    def update(self, logits_BK: Tensor, targets_B: Tensor, teacher_BK: Tensor | None = None) -> None:
        if not bool(logits_BK.isfinite().all()):
            raise DivergedError("the network's outputs are not finite: its training diverged.")
        predicted = self._predicted(logits_BK)
        columns = {name: values.double().cpu() for name, values in self._columns(logits_BK, targets_B).items()}
        self._parts.append(MeanScores(columns, predicted.cpu(), targets_B.cpu()))
        if teacher_BK is not None:
            self._agreed.append((self._predicted(teacher_BK) == predicted).double().flatten())

    def merge(self, world: World, device: torch.device) -> None:
        if world.size == 1:
            return
        names = self._names()
        sums = [sum(float(part.columns[name].sum()) for part in self._parts) for name in names]
        images = sum(len(part.targets) for part in self._parts)
        total = torch.tensor([*sums, images], dtype=torch.float64, device=device)
        world.sum_([total])
        *values, count = total.tolist()
        self._sums = {name: value / count for name, value in zip(names, values, strict=True)}

    def scores(self) -> MeanScores:
        columns = {name: torch.cat([part.columns[name] for part in self._parts]) for name in self._names()}
        predicted, targets = (
            torch.cat([getattr(part, name) for part in self._parts]) for name in ("predicted", "targets")
        )
        return MeanScores(columns, predicted, targets)

    def metrics(self) -> dict[str, float]:
        if self._sums:
            return dict(self._sums)
        found = {name: float(values.mean()) for name, values in self.scores().columns.items()}
        return found | ({"teacher_agreement": float(torch.cat(self._agreed).mean())} if self._agreed else {})

    def _names(self) -> list[str]:
        """Of all metrics, also where this process has seen no image."""
        return list(self._columns(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)))
