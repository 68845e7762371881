"""`report.json` of a distillation: teacher, student alone and distilled side by side."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar, Literal

from pydantic import Field, JsonValue

from kd_engine.schema.document import Beside, Document, Versioned
from kd_engine.schema.metrics import IMAGE_CLASSIFICATION, Estimate, Metric, Scores
from kd_engine.schema.model_details import PhaseDetails, from_version_1
from kd_engine.schema.warnings import SpecWarning

REPORT_VERSION = 2
NAMES = "Of what was sent: by place in the spec its `id` and its `name`."
Source = Literal["trained", "cache", "given"]


class Run(Beside):
    """One network of one seed."""

    repeat: int
    seed: int
    source: Source
    scores: Scores = Field(description="On the validation and the test split; `best_epoch` where it was trained here.")


class NetworkRow(Beside):
    """The networks of one phase, over all seeds."""

    network: str = Field(description="What it is called: `teacher`, `student alone`, `distilled`.")
    phase: str
    model: str
    parameters: int
    source: Source
    seeds: int
    scores: dict[str, Estimate] = Field(description="By split and name of the metric.")
    runs: tuple[Run, ...]

    def run(self, repeat: int) -> Run:
        """Of this repeat; the only one where all repeats share it, as a teacher."""
        by_repeat = {run.repeat: run for run in self.runs}
        return by_repeat.get(repeat, self.runs[0])


class Difference(Beside):
    """The networks of one phase less those of another, each repeat paired with itself."""

    of: str
    less: str
    scores: dict[str, Estimate] = Field(description="By split and name of the metric.")
    beside: ClassVar[dict[str, str]] = {"test_accuracy": "accuracy", "test_loss": "nll", "test_ece": "ece"}


class Look(Document):
    """What was seen after so many seeds, where their number was left open."""

    seeds: int
    interval: tuple[float, float] = Field(description="Of `difference`, at 95 %.")
    confidence: float = Field(description="Of the interval that this look's verdict rests on.")
    verdict_interval: tuple[float, float]
    enough: bool = Field(description="Whether the repeats end here.")


class Explanation(Document):
    """One thing that was measured and explains why no gain was seen."""

    code: str
    message: str
    measured: dict[str, float | int | str | None]


class LogitCache(Document):
    """What the cache of the teacher's logits was asked and had; or why it was off."""

    asked: int | None = Field(None, exclude_if=lambda value: value is None)
    hit_rate: float | None = Field(None, exclude_if=lambda value: value is None)
    rows: int | None = Field(None, exclude_if=lambda value: value is None)
    views: int | None = Field(None, exclude_if=lambda value: value is None)
    storage: str | None = Field(None, exclude_if=lambda value: value is None)
    off: str | None = Field(None, exclude_if=lambda value: value is None)


class Duplicates(Document):
    """How many images have the pixels of another one."""

    train: int = Field(0, description="Of the images in train, those that come again after their first.")
    validation_in_train: int = Field(0, description="Of a validation split that the data set brings.")
    test_in_train: int = Field(
        0, description="Test images that train or validation has too: they are no test of what was learnt."
    )


class Exported(Beside):
    """The student in one form; or why it could not be written."""

    file: str | None = Field(None, exclude_if=lambda value: value is None)
    bytes: int | None = Field(None, exclude_if=lambda value: value is None)
    error: str | None = Field(None, exclude_if=lambda value: value is None)
    largest_difference: float | None = Field(
        None, exclude_if=lambda value: value is None, description="From the network's own logits."
    )
    checked_images: int | None = Field(None, exclude_if=lambda value: value is None)
    calibration_images: int | None = Field(None, exclude_if=lambda value: value is None)
    scores: dict[str, Estimate] = Field({}, description="Of a form that answers otherwise, measured anew.")
    difference: Estimate | None = Field(
        None, exclude_if=lambda value: value is None, description="Of the first metric, from the network itself."
    )


class TrainingReport(Versioned):
    """The first of `metrics` makes the verdict; `difference` is of distilled less alone in it."""

    version: int = Field(REPORT_VERSION, description=Versioned.model_fields["version"].description)
    kind: Literal["distill"] = "distill"
    task: str = Field(description="As `tasks` of GET /catalog names it.")
    metrics: tuple[Metric, ...] = Field(description="What was measured.")
    verdict: Literal["helped", "hurt", "no evidence", "not measured"] = Field(
        description="`not measured` where the student was not trained alone."
    )
    why: Literal["interval", "one_seed", "not_trained_alone"] | None = Field(
        None, description="What the verdict rests on: an interval over seeds and images; one seed can carry none."
    )
    verdict_confidence: float | None = Field(None, description="Of the interval that the verdict needs.")
    verdict_interval: tuple[float, float] | None = None
    summary: str
    rows: tuple[NetworkRow, ...]
    difference: Estimate | None
    differences: tuple[Difference, ...]
    seeds: int
    looks: tuple[Look, ...] = ()
    details: dict[str, PhaseDetails] = Field(description="Of the published network of each phase.")
    classes: tuple[str, ...]
    published_repeat: int
    teacher_cache: dict[str, LogitCache] = Field({}, description="By repeat.")
    explanations: tuple[Explanation, ...] = ()
    next_spec: dict[str, JsonValue] | None = Field(None, description="A spec to try where nothing was gained.")
    warnings: tuple[SpecWarning, ...] = ()
    names: dict[str, dict[str, str]] = Field({}, description=NAMES)
    duplicates: Duplicates = Duplicates()
    export: dict[str, Exported] = Field({}, description="By form.")

    @property
    def main(self) -> str:
        """The key of the score that the verdict is about."""
        return self.metrics[0].key("test")

    def row(self, phase: str) -> NetworkRow:
        """The row of a phase.

        Raises:
            KeyError: the job had no such phase.
        """
        for row in self.rows:
            if row.phase == phase:
                return row
        raise KeyError(phase)

    @classmethod
    def _from_version_1(cls, data: dict[str, Any]) -> dict[str, Any]:
        changed: dict[str, Any] = {
            "task": "image_classification",
            "metrics": IMAGE_CLASSIFICATION,
            "rows": [_row_1(row) for row in data["rows"]],
            "differences": [_difference_1(row) for row in data["differences"]],
            "seeds": len(next(row["runs"] for row in data["rows"] if row["phase"] == "student")),
            "details": {phase: from_version_1(details) for phase, details in data["details"].items()},
            "export": {form: _export_1(exported) for form, exported in data.get("export", {}).items()},
        }
        return data | changed


def _row_1(row: dict[str, Any]) -> dict[str, Any]:
    runs = [run | {"scores": {k: v for k, v in run.items() if k not in ("repeat", "seed", "source")}}
            for run in row["runs"]]  # fmt: skip
    return row | {"runs": runs, "scores": {"test_accuracy": row["test_accuracy"]}}


def _difference_1(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"scores": {key: row[name] for key, name in Difference.beside.items() if name in row}}


def _export_1(exported: dict[str, Any]) -> dict[str, Any]:
    return exported | {"scores": {name: exported[name] for name in ("test_accuracy",) if name in exported}}


# A list of nothing but numbers that json has spread over lines. Text cannot look like it: JSON escapes line breaks.
_NUMBERS = re.compile(r"\[\n[-+\d.eE,\s]*\]")


def report_text(report: Document) -> str:
    """Indented JSON with each list of numbers, such as a row of a confusion matrix, on one line."""
    text = json.dumps(report.model_dump(mode="json"), indent=2, allow_nan=False)
    return _NUMBERS.sub(lambda found: "[" + " ".join(found[0][1:-1].split()) + "]", text) + "\n"
