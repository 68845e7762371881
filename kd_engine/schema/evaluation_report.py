"""`report.json` of a network that was measured: by a job of kind `evaluate`, or when it was sent (`register`)."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field

from kd_engine.schema.document import Document, Versioned
from kd_engine.schema.metrics import IMAGE_CLASSIFICATION, Metric
from kd_engine.schema.model_details import NetworkDetails, from_version_1
from kd_engine.schema.report import NAMES, REPORT_VERSION, Duplicates, TrainingReport
from kd_engine.schema.sweep_report import SweepReport


class TriedFeed(Document):
    """A usual way to feed a network, and how it did on images of train."""

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: Literal["rgb", "bgr"] = "rgb"
    images: int | None = None
    accuracy: float
    log_loss: float | None = Field(None, description="In nats; null where an output is not finite.")
    log_loss_sharpened: float | None = Field(None, description="As sharp as suits it best: what ways are compared by.")


class Registered(Document):
    """The file that was sent, and how the network in it is fed."""

    format: str
    sha256: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: Literal["rgb", "bgr"] = "rgb"
    train_images: int | None = Field(None, description="That the ways to feed it were tried on.")
    train_accuracy: float | None = None
    train_log_loss: float | None = None
    normalisations_tried: tuple[TriedFeed, ...] = ()
    notes: tuple[str, ...] = Field(description="What its sender should know.")


class _Head(Versioned):
    version: int = Field(REPORT_VERSION, description=Versioned.model_fields["version"].description)
    kind: Literal["evaluate", "register"]
    task: str = Field(description="As `tasks` of GET /catalog names it.")
    metrics: tuple[Metric, ...] = Field(description="What was measured.")
    summary: str
    dataset: str
    data_sha256: str
    duplicates: Duplicates = Duplicates()
    test_images: int
    interval: tuple[float, float] = Field(description="Of the first metric, of 95 %.")


class EvaluationReport(NetworkDetails, _Head):
    """The first of `metrics` is what `summary` tells."""

    registered: Registered | None = Field(None, exclude_if=lambda value: value is None)
    names: dict[str, dict[str, str]] = Field({}, description=NAMES)

    @property
    def main(self) -> float:
        """The value of the first metric."""
        value = self.scores[self.metrics[0].key("test")]
        assert value is not None, "the first metric always applies"
        return value

    def flat(self, data: dict[str, Any]) -> dict[str, Any]:
        return super().flat(data) | {f"{self.metrics[0].key('test')}_interval": data["interval"]}

    @classmethod
    def _from_version_1(cls, data: dict[str, Any]) -> dict[str, Any]:
        kind = "register" if "registered" in data else "evaluate"
        return from_version_1(data) | {
            "kind": kind,
            "task": "image_classification",
            "metrics": IMAGE_CLASSIFICATION,
            "interval": data["test_accuracy_interval"],
        }


AnyReport = TrainingReport | SweepReport | EvaluationReport


def read_report(text: str | bytes) -> AnyReport:
    """A stored report of any kind and version.

    Raises:
        pydantic.ValidationError: it is none.
    """
    data = json.loads(text)
    if isinstance(data, dict) and data.get("kind") == "sweep":
        return SweepReport.read(text)
    return TrainingReport.read(text) if "rows" in data else EvaluationReport.read(text)
