"""What a network said of each image and class. Shapes: B images in a batch, N in the split, K classes, R seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, kl_div, logsigmoid

from kd_engine.distributed.world import World
from kd_engine.schema.errors import DivergedError
from kd_engine.schema.model_details import ClassRow
from kd_engine.statistics.intervals import CONFIDENCE, Estimate, of_mean_differences, of_means
from kd_engine.tasks.image_multi_label.metrics import calibration, column, f1, mean_average_precision


def losses(logits_BK: Tensor, targets_BK: Tensor) -> Tensor:
    """Binary cross-entropy of each image in nats, float64 `[B]`: the mean over its classes."""
    return binary_cross_entropy_with_logits(logits_BK.double(), targets_BK.double(), reduction="none").mean(dim=1)


@dataclass(frozen=True)
class LabelScores:
    """One network's answers, in the split's order, on the CPU; or, of several that differ in their seed, all of theirs.

    Attributes:
        targets_NK: uint8, 0 and 1.
        logits_NK: float32; above 0 it says yes.
        agrees_NK: whether a teacher says the same; None without one.
        seeds: of several networks on the same images, the scores of each; the other fields are then the first one's.
    """

    targets_NK: Tensor
    logits_NK: Tensor
    agrees_NK: Tensor | None = None
    seeds: tuple[LabelScores, ...] = ()

    @classmethod
    def stacked(cls, scores: Sequence[LabelScores]) -> LabelScores:
        return replace(scores[0], seeds=tuple(scores))

    def estimate(self, name: str) -> Estimate:
        bounds = (0.0, math.inf if name == "loss" else 1.0)
        return of_means(self._by_seed(name), bounds=bounds)

    def less(self, other: LabelScores, name: str, confidence: float = CONFIDENCE) -> Estimate:
        return of_mean_differences(self._by_seed(name), other._by_seed(name), confidence)

    def error_over_images(self, other: LabelScores) -> float:
        difference_N = (self._by_seed("map") - other._by_seed("map")).mean(dim=0)
        return float(difference_N.std()) / math.sqrt(len(difference_N))

    def _by_seed(self, name: str) -> Tensor:
        return torch.stack([one.column(name) for one in self.seeds or (self,)])

    def to_tree(self) -> dict[str, Any]:
        tree: dict[str, Any] = {"logits": self.logits_NK}
        return tree if self.agrees_NK is None else tree | {"agrees": self.agrees_NK}

    def column(self, name: str) -> Tensor:
        """float64 `[N]`: its mean is the metric of this name."""
        return self._columns[name]()

    @cached_property
    def _columns(self) -> dict[str, Callable[[], Tensor]]:
        # one that is a mean over images is its values; of the others `metrics.column` makes one
        return {
            "map": lambda: column(*self._precision[:2]),
            "macro_f1": lambda: column(*self._f1[0]),
            "micro_f1": lambda: column(*self._f1[1]),
            "loss": lambda: losses(self.logits_NK, self.targets_NK),
            "ece": lambda: column(*self._calibration[:2]),
        }

    @cached_property
    def _precision(self) -> tuple[float, Tensor, list[float | None]]:
        return mean_average_precision(self.logits_NK, self.targets_NK)

    @cached_property
    def _f1(self) -> tuple[tuple[float, Tensor], tuple[float, Tensor], Tensor]:
        return f1(self.logits_NK > 0, self.targets_NK)

    @cached_property
    def _calibration(self) -> tuple[float, Tensor, Tensor]:
        return calibration(self.logits_NK.double().sigmoid(), self.targets_NK)

    @property
    def metrics(self) -> dict[str, float]:
        """By name."""
        return {name: float(self.column(name).mean()) for name in self._columns}

    def by_class(self, names: Sequence[str]) -> list[ClassRow]:
        """For each class its name, the number of its images, and its metrics (0 to 1).

        Recall, `average_precision` and `f1` are None where the split has no image of the class, precision where no
        image was given it, `teacher_agreement` without a teacher.
        """
        yes_NK, targets_NK = self.logits_NK > 0, self.targets_NK.bool()
        hits_K, given_K, images_K = (which_NK.sum(0).tolist() for which_NK in (yes_NK & targets_NK, yes_NK, targets_NK))
        agrees_K = None if self.agrees_NK is None else self.agrees_NK.double().mean(0).tolist()
        return [
            ClassRow(
                name=names[label],
                images=images,
                recall=hits / images if images else None,
                precision=hits / given if given else None,
                scores={
                    "average_precision": self._precision[2][label],
                    "f1": float(self._f1[2][label]) if images else None,
                    "ece": float(self._calibration[2][label]),
                    "teacher_agreement": None if agrees_K is None else agrees_K[label],
                },
            )
            for label, (images, given, hits) in enumerate(zip(images_K, given_K, hits_K, strict=True))
        ]


class LabelEvaluator:
    """Keeps all logits: no metric of rank can do with less."""

    def __init__(self) -> None:
        self._logits: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._agrees: list[Tensor] = []
        self._divergence = 0.0

    def update(self, logits_BK: Tensor, targets_B: Tensor, teacher_BK: Tensor | None = None) -> None:
        self._logits.append(logits_BK)
        self._targets.append(targets_B)
        if teacher_BK is not None:
            self._agrees.append((teacher_BK > 0) == (logits_BK > 0))
            self._divergence += float(_divergence(teacher_BK, logits_BK))

    def merge(self, world: World, device: torch.device) -> None:
        if world.size == 1:
            return
        parts = [torch.cat(pair, dim=1) for pair in zip(self._logits, self._targets, strict=True)]
        logits_NK, targets_NK = _gathered(parts, world, device).chunk(2, dim=1)
        self._logits, self._targets = [logits_NK], [targets_NK.to(torch.uint8)]

    def scores(self) -> LabelScores:
        logits_NK, targets_NK = (torch.cat(parts).cpu() for parts in (self._logits, self._targets))
        if not bool(logits_NK.isfinite().all()):
            raise DivergedError("the network's outputs are not finite: its training diverged.")
        return LabelScores(targets_NK, logits_NK, torch.cat(self._agrees).cpu() if self._agrees else None)

    def metrics(self) -> dict[str, float]:
        scores = self.scores()
        found = scores.metrics
        if scores.agrees_NK is not None:
            found["teacher_agreement"] = float(scores.agrees_NK.double().mean())
            found["teacher_kl"] = self._divergence / scores.agrees_NK.numel()
        return found


class LabelMeter(LabelEvaluator):
    """For a look after each epoch: what picks it, and the loss."""

    def metrics(self) -> dict[str, float]:
        logits_NK, targets_NK = (torch.cat(parts).cpu() for parts in (self._logits, self._targets))
        value, _, _ = mean_average_precision(logits_NK.nan_to_num(), targets_NK)
        return {"map": value, "loss": float(losses(logits_NK, targets_NK).mean())}


def _divergence(teacher_BK: Tensor, student_BK: Tensor) -> Tensor:
    """KL(teacher || student) of the yes and no of each image and class, summed, in nats."""
    student, teacher = student_BK.double(), teacher_BK.double()
    pairs = ((logsigmoid(sign * student), logsigmoid(sign * teacher)) for sign in (1, -1))
    return torch.stack([kl_div(one, other, reduction="sum", log_target=True) for one, other in pairs]).sum()


def _gathered(parts: list[Tensor], world: World, device: torch.device) -> Tensor:
    """float32 rows of all processes, one process after the other; this one may have none."""
    rows = torch.cat(parts).float() if parts else torch.zeros(0, 0, device=device)
    sizes_R2 = world.all_gather(torch.tensor(rows.shape, device=device))
    padded = torch.zeros(*sizes_R2.amax(dim=0).tolist(), device=device)
    padded[: rows.shape[0], : rows.shape[1]] = rows
    return torch.cat([part[:count] for part, count in zip(world.all_gather(padded), sizes_R2[:, 0], strict=True)])
