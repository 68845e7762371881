"""All that was measured of one network."""

from __future__ import annotations

from typing import Any

from pydantic import Field, JsonValue

from kd_engine.schema.document import Beside, Document
from kd_engine.schema.metrics import Scores


def _empty(value: object) -> bool:
    return not value


class Latency(Document):
    """Median milliseconds from uint8 images to outputs, after warming up; null where there is no memory for it."""

    device: str
    threads: int
    batch_1_ms: float | None
    batch_128_ms: float | None


class ClassRow(Document):
    """How well one class is found."""

    name: str
    images: int
    recall: float | None = Field(description="Null where the split has no image of it.")
    precision: float | None = Field(description="Null where no image was given it.")
    scores: Scores = Field({}, exclude_if=_empty, description="What else the task measures of each class.")


class Confusion(Document):
    """Images of one class that were given another one."""

    label: str
    predicted: str
    images: int


class NetworkDetails(Beside):
    """What the network is, what it costs, and how well it does on the test split."""

    model: str
    precision: str
    parameters: int
    trainable_parameters: int | None = Field(description="Null where only its file is known.")
    flops: int | None = Field(description="Of one image forward, a multiply-add as two; null where it is not counted.")
    file_bytes: int
    latency: Latency
    scores: Scores = Field(description="By split and name of the metric; null where one does not apply.")
    classes: tuple[ClassRow, ...]
    most_confused: tuple[Confusion, ...] = Field((), description="At most ten.")
    confusion: tuple[tuple[int, ...], ...] | None = Field(
        None, description="Rows: the right class; columns: the class given. Null above 100 classes."
    )
    more: dict[str, JsonValue] = Field({}, exclude_if=_empty, description="What else the task says of a network.")


class _Whose(Document):
    network: str
    repeat: int


class PhaseDetails(NetworkDetails, _Whose):
    """Of a network that this job has trained, or learnt from."""


# as version 1 has them beside the rest
_SCORES = ("test_accuracy", "test_top5", "test_loss", "test_ece", "teacher_agreement", "teacher_kl")


def from_version_1(data: dict[str, Any]) -> dict[str, Any]:
    """The details of a report of version 1."""
    return data | {"scores": {name: data[name] for name in _SCORES if name in data}}
