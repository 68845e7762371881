"""The tasks: what a data set's targets mean, and how a network that answers is trained, measured and shown. No torch.

A task is a row here, a folder of `kd_engine/tasks/` and its tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from kd_engine.schema.metrics import IMAGE_CLASSIFICATION as ACCURACY_AND_THE_REST
from kd_engine.schema.metrics import Metric
from kd_engine.schema.strict_model import unknown_name

IMAGE_CLASSIFICATION = "image_classification"
"""The task of every data set that names none."""


@dataclass(frozen=True)
class TaskRow:
    """What is known of a task without its code.

    Attributes:
        task: `module:class` of a `kd_engine.tasks.base.Task`.
        metrics: the first picks the epoch and the repeat, and makes the verdict.
        several: an image may have several classes, or none: its target is a row of 0 and 1, a number a class; otherwise
            it is the number of its class.
        row_size: how many numbers the losses of logits compare at once; as many as there are classes, if None.
    """

    name: str
    summary: str
    task: str
    metrics: tuple[Metric, ...]
    several: bool = False
    row_size: int | None = None

    @property
    def main(self) -> Metric:
        """The metric that decides."""
        return self.metrics[0]

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "summary": self.summary,
            "metrics": [metric.model_dump() for metric in self.metrics],
        }


TASKS: dict[str, TaskRow] = {
    row.name: row
    for row in (
        TaskRow(
            name=IMAGE_CLASSIFICATION,
            summary="Each image has one class, and the network names it.",
            task="kd_engine.tasks.image_classification.task:ImageClassification",
            metrics=ACCURACY_AND_THE_REST,
        ),
        TaskRow(
            name="image_multi_label",
            summary="An image has several classes, one or none, and the network says yes or no to each.",
            task="kd_engine.tasks.image_multi_label.task:ImageMultiLabel",
            metrics=(
                Metric(name="map", label="mean average precision", unit="share", better="higher"),
                Metric(name="macro_f1", label="macro F1", unit="share", better="higher"),
                Metric(name="micro_f1", label="micro F1", unit="share", better="higher"),
                Metric(name="loss", label="binary cross-entropy", unit="nats", better="lower"),
                Metric(name="ece", label="expected calibration error by class", unit="share", better="lower"),
                Metric(name="teacher_agreement", label="agreement with the teacher", unit="share", better="higher"),
                Metric(name="teacher_kl", label="KL divergence from the teacher", unit="nats", better="lower"),
            ),
            several=True,
            row_size=2,
        ),
    )
}


def main_metric(values: Mapping[str, Any], split: Literal["val", "test"]) -> Metric | None:
    """The metric that decides, of the task whose numbers these are; None where they are of none."""
    return next((row.main for row in TASKS.values() if row.main.key(split) in values), None)


def _known(name: str) -> str:
    if name not in TASKS:
        raise unknown_name("task", name, TASKS)
    return name


TaskName = Annotated[str, AfterValidator(_known)]
