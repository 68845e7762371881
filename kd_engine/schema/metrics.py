"""What is measured of a network, with all that a client needs to show a metric that it has never heard of."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kd_engine.schema.document import Document


class Metric(Document):
    """One metric of a task.

    A score on a split stands in events and reports under the split and the name, such as `val_accuracy` and
    `test_accuracy`; a comparison with the teacher (`teacher_kl`) under its name alone.
    """

    name: str
    label: str = Field(description="For a person, in the middle of a sentence.")
    unit: Literal["share", "nats", "count"] = Field(description="`share`: 0 to 1. `nats`: natural logarithms.")
    better: Literal["higher", "lower"]

    def key(self, split: Literal["train", "val", "test"]) -> str:
        """Under which its value stands among the metrics of an event and the scores of a report."""
        return self.name if self.name.startswith("teacher_") else f"{split}_{self.name}"

    def show(self, value: float) -> str:
        """The value with its unit, for a person."""
        return f"{100 * value:.2f} %" if self.unit == "share" else f"{value:,.4g}"


class Estimate(Document):
    """A value with an interval."""

    mean: float
    spread: float | None = Field(description="Standard deviation over seeds; null with a single one.")
    interval: tuple[float, float] | None = Field(
        description="Of 95 %; null where nothing can be said, as of the mean of one."
    )
    kind: str = Field(description="What the interval knows of: `images`, or `seeds and images`.")


Scores = dict[str, float | None]
"""By `Metric.key`; None where one does not apply, as top-5 of five classes or fewer."""

# The first picks the epoch and the repeat, and makes the verdict.
IMAGE_CLASSIFICATION: tuple[Metric, ...] = (
    Metric(name="accuracy", label="accuracy", unit="share", better="higher"),
    Metric(name="top5", label="top-5 accuracy", unit="share", better="higher"),
    Metric(name="loss", label="negative log-likelihood", unit="nats", better="lower"),
    Metric(name="ece", label="expected calibration error", unit="share", better="lower"),
    Metric(name="teacher_agreement", label="agreement with the teacher", unit="share", better="higher"),
    Metric(name="teacher_kl", label="KL divergence from the teacher", unit="nats", better="lower"),
)
