"""The task: several classes an image. Shapes: B images in a batch, N in a split, K classes, R = B * K rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from kd_engine.catalog.tasks import TASKS
from kd_engine.data.loader import Batch
from kd_engine.losses import Outputs
from kd_engine.schema.metrics import Metric
from kd_engine.schema.model_details import NetworkDetails
from kd_engine.tasks.base import Card, Task
from kd_engine.tasks.image_multi_label.scores import LabelEvaluator, LabelMeter, LabelScores, losses

MOST_CLASSES_DRAWN = 20  # beyond that the curves can no longer be told apart
_ROW = TASKS["image_multi_label"]


class ImageMultiLabel(Task):
    """Binary cross-entropy; the losses of logits compare the yes and no of each image and class.

    A logit z says yes with probability sigmoid(z): that is the softmax of the pair `[z, 0]`, so that what compares the
    logits of classes compares such pairs as they are.
    """

    name: ClassVar[str] = _ROW.name
    metrics: ClassVar[tuple[Metric, ...]] = _ROW.metrics
    compared: ClassVar[tuple[str, ...]] = tuple(one.name for one in _ROW.metrics if not one.name.startswith("teacher_"))
    script: ClassVar[Path | None] = Path(__file__).parent / "predict_script.py"

    def supervised_loss(self, logits_BK: Tensor, batch: Batch, smoothing: float) -> Tensor:
        """Binary cross-entropy, the mean over images and classes; of mixed images with both rows of targets, each by
        its share. Smoothing takes targets to `smoothing / 2` and `1 - smoothing / 2`.
        """
        targets_BK = batch.labels_B.float()
        if batch.mixed is not None:
            share_B1 = batch.mixed.share_B[:, None]
            targets_BK = batch.mixed.partner_labels_B.float().lerp(targets_BK, share_B1)
        targets_BK = targets_BK * (1 - smoothing) + smoothing / 2
        return binary_cross_entropy_with_logits(logits_BK, targets_BK)

    def example_losses(self, logits_BK: Tensor, targets_B: Tensor) -> Tensor:
        return losses(logits_BK, targets_B)

    def predicted(self, logits_BK: Tensor) -> Tensor:
        return (logits_BK > 0).to(torch.uint8)

    def rows(self, answers: Outputs, targets_B: Tensor) -> tuple[Outputs, Tensor]:
        yes_R = answers.logits_BK.reshape(-1)
        pairs_R2 = torch.stack([yes_R, torch.zeros_like(yes_R)], dim=1)
        return Outputs(pairs_R2, answers.features), 1 - targets_B.reshape(-1).long()

    def meter(self) -> LabelMeter:
        return LabelMeter()

    def evaluator(self) -> LabelEvaluator:
        return LabelEvaluator()

    def restored(self, tree: dict[str, Any], targets_N: Tensor) -> LabelScores:
        return LabelScores(targets_N.cpu(), tree["logits"], tree.get("agrees"))

    def details(self, scores: LabelScores, classes: tuple[str, ...]) -> dict[str, Any]:
        """`classes` (the table)."""
        return {"classes": scores.by_class(classes)}

    def figures(
        self, scores: LabelScores, classes: tuple[str, ...], title: str
    ) -> Iterator[tuple[str, Callable[[], bytes]]]:
        if len(classes) <= MOST_CLASSES_DRAWN:
            from kd_engine.tasks.image_multi_label.precision_recall_plot import draw_curves  # imports slowly

            yield "precision-recall.png", partial(draw_curves, scores, classes, title)

    def summary(self, scores: LabelScores, network: str, dataset: str) -> str:
        precision = scores.estimate("map")
        low, high = (100 * bound for bound in precision.interval)
        return (
            f"{network} has a mean average precision of {100 * precision.mean:.2f} % on the {len(scores.targets_NK):,} "
            f"test images of {dataset} (95 % interval {low:.2f} to {high:.2f})."
        )

    def card(self, student: NetworkDetails) -> Card:
        count = len(student.classes)
        found = [(value, row.name) for row in student.classes if (value := row.scores["average_precision"]) is not None]
        limits = [
            f"It knows {count} classes, and says nothing of what else a picture shows.",
            "The numbers above hold for pictures like those of the test split; nobody measured others.",
            "It says yes to a class from a probability of .5 on; for a class that costs more to miss than to name, or "
            "the other way round, choose another threshold on pictures of your own.",
        ]
        if found:
            value, worst = min(found)
            limits.append(f"Its weakest class is {worst}, of an average precision of {100 * value:.2f} %.")
        off = student.scores["test_ece"]
        assert off is not None, "it always applies"
        limits.append(f"Its probabilities are off by {100 * off:.2f} % on average (calibration error by class).")
        return Card(
            kind="A small image classifier of several classes an image, trained by knowledge distillation.",
            output=f"yes or no, with a probability, for each of {count} classes",
            columns={
                "average precision": lambda row: row.scores["average_precision"],
                "F1": lambda row: row.scores["f1"],
                "recall": lambda row: row.recall,
                "precision": lambda row: row.precision,
            },
            by=lambda row: row.scores["average_precision"],
            limits=limits,
        )
