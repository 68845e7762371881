"""The task: one class an image. Shapes: B images in a batch, N in a split, K classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor
from torch.nn.functional import cross_entropy

from kd_engine.catalog.tasks import IMAGE_CLASSIFICATION, TASKS
from kd_engine.data.loader import Batch
from kd_engine.losses import Outputs
from kd_engine.schema.metrics import Metric
from kd_engine.schema.model_details import NetworkDetails
from kd_engine.tasks.base import Card, Task
from kd_engine.tasks.image_classification.metrics import class_table, confusion_matrix, most_confused
from kd_engine.tasks.image_classification.scores import ClassEvaluator, ClassMeter, ClassScores

MOST_CLASSES_IN_MATRIX = 100  # 10,000 numbers; beyond that a report is no longer read, and `most_confused` remains
MOST_CLASSES_DRAWN = 20  # beyond that the numbers in the picture's cells can no longer be read


class ImageClassification(Task):
    """Cross-entropy; the losses of logits compare the logits as they are."""

    name: ClassVar[str] = IMAGE_CLASSIFICATION
    metrics: ClassVar[tuple[Metric, ...]] = TASKS[IMAGE_CLASSIFICATION].metrics
    compared: ClassVar[tuple[str, ...]] = ("accuracy", "loss", "ece")
    script: ClassVar[Path | None] = Path(__file__).parent / "predict_script.py"

    def supervised_loss(self, logits_BK: Tensor, batch: Batch, smoothing: float) -> Tensor:
        """Cross-entropy with the labels; of mixed images with both labels, each by its share."""
        if batch.mixed is None:
            return cross_entropy(logits_BK, batch.labels_B, label_smoothing=smoothing)
        own_B, partners_B = (
            cross_entropy(logits_BK, labels_B, reduction="none", label_smoothing=smoothing)
            for labels_B in (batch.labels_B, batch.mixed.partner_labels_B)
        )
        return partners_B.lerp(own_B, batch.mixed.share_B).mean()

    def example_losses(self, logits_BK: Tensor, targets_B: Tensor) -> Tensor:
        return -logits_BK.double().log_softmax(dim=1).gather(1, targets_B[:, None])[:, 0]

    def predicted(self, logits_BK: Tensor) -> Tensor:
        return logits_BK.argmax(dim=1)

    def rows(self, answers: Outputs, targets_B: Tensor) -> tuple[Outputs, Tensor]:
        return answers, targets_B

    def meter(self) -> ClassMeter:
        return ClassMeter()

    def evaluator(self) -> ClassEvaluator:
        return ClassEvaluator()

    def restored(self, tree: dict[str, Any], targets_N: Tensor) -> ClassScores:
        return ClassScores.from_tree(tree, targets_N)

    def details(self, scores: ClassScores, classes: tuple[str, ...]) -> dict[str, Any]:
        """`classes` (the table), `most_confused` and `confusion` (rows: the right class; None above 100 classes)."""
        labels_N, predicted_N = scores.labels_N, scores.predicted_N
        small = len(classes) <= MOST_CLASSES_IN_MATRIX
        return {
            "classes": class_table(labels_N, predicted_N, classes),
            "most_confused": most_confused(labels_N, predicted_N, classes),
            "confusion": confusion_matrix(labels_N, predicted_N, len(classes)).tolist() if small else None,
        }

    def figures(
        self, scores: ClassScores, classes: tuple[str, ...], title: str
    ) -> Iterator[tuple[str, Callable[[], bytes]]]:
        if len(classes) <= MOST_CLASSES_DRAWN:
            from kd_engine.tasks.image_classification.confusion_plot import draw_confusion  # what draws imports slowly

            yield "confusion.png", partial(draw_confusion, scores, classes, title)

    def summary(self, scores: ClassScores, network: str, dataset: str) -> str:
        accuracy = scores.estimate("accuracy")
        low, high = (100 * bound for bound in accuracy.interval)
        return (
            f"{network} names {int(scores.correct.sum()):,} of the {len(scores.labels_N):,} test images of {dataset} "
            f"right: {100 * accuracy.mean:.2f} % (95 % interval {low:.2f} to {high:.2f})."
        )

    def card(self, student: NetworkDetails) -> Card:
        count = len(student.classes)
        found = [(row.recall, row.name) for row in student.classes if row.recall is not None]
        recall, worst = min(found, key=lambda pair: pair[0])
        off = student.scores["test_ece"]
        assert off is not None, "it always applies"
        return Card(
            kind="A small image classifier, trained by knowledge distillation.",
            output=f"one of {count} classes",
            columns={"recall": lambda row: row.recall, "precision": lambda row: row.precision},
            by=lambda row: row.recall,
            limits=[
                f"It names one of its {count} classes for any picture, also for one that shows none of them.",
                "The numbers above hold for pictures like those of the test split; nobody measured others.",
                f"Its weakest class is {worst}: {100 * recall:.2f} % of its test images are found.",
                f"Its probabilities are off by {100 * off:.2f} % on average (expected calibration error).",
            ],
        )
