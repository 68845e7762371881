"""Documents of an earlier version are read, and keep every value in its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from kd_engine.jobspec import parse_spec
from kd_engine.schema.evaluation_report import EvaluationReport, read_report
from kd_engine.schema.manifest import Manifest
from kd_engine.schema.report import TrainingReport, report_text
from tests.compatibility.earlier import file, job_of, specs, trained_report


def differing(old: Any, new: Any, path: str = "") -> list[str]:
    """Where a value of the old document is not in the new one."""
    if isinstance(old, dict):
        inside = (differing(old[key], new[key], f"{path}/{key}") if key in new else [f"{path}/{key}"] for key in old)
        return [place for places in inside for place in places]
    if isinstance(old, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [place for at, pair in pairs for place in differing(*pair, f"{path}/{at}")]
    return [] if old == new else [path]


@pytest.mark.parametrize(("kind", "name", "model"), [
    ("distill", "trained", TrainingReport), ("evaluate", None, EvaluationReport), ("register", None, EvaluationReport),
])  # fmt: skip
def test_a_report_without_a_version(kind: str, name: str | None, model: type[Any]) -> None:
    text = file(job_of(kind, name), "report.json").read_text()
    report = read_report(text)
    assert isinstance(report, model)
    assert (report.version, report.kind, report.task) == (1, kind, "image_classification")
    written = json.loads(report_text(report))
    assert differing(json.loads(text), written) == []
    assert read_report(json.dumps(written)) == report


def test_its_scores_are_found_by_the_metrics_that_it_names() -> None:
    report = TrainingReport.read(trained_report())
    row, old = report.row("student"), json.loads(trained_report())["rows"][2]
    assert report.main == "test_accuracy"
    assert row.scores[report.main].mean == old["test_accuracy"]["mean"]
    assert [run.scores for run in row.runs] == [
        {key: value for key, value in run.items() if key not in ("repeat", "seed", "source")} for run in old["runs"]
    ]
    assert set(report.differences[0].scores) == {"test_accuracy", "test_loss", "test_ece"}
    assert report.seeds == 2


def test_a_manifest_without_a_version() -> None:
    text = file(job_of("check"), "manifest.json").read_text()
    manifest = Manifest.read(text)
    assert (manifest.version, manifest.task, manifest.classes) == (
        1,
        "image_classification",
        ("top", "middle", "bottom"),
    )
    assert differing(json.loads(text), manifest.model_dump(mode="json")) == []


def test_what_a_later_version_adds_is_passed_over_and_what_nobody_knows_is_not_written() -> None:
    report = TrainingReport.read(trained_report())
    later = json.loads(report_text(report)) | {"version": 3, "colour": "red"}
    later["rows"][0]["runs"][0]["mood"] = 1
    assert TrainingReport.read(json.dumps(later)) == report.changed(version=3)
    with pytest.raises(ValidationError, match="colour"):
        report.changed(colour="red")


@pytest.mark.parametrize("spec", specs().values(), ids=lambda spec: str(spec["kind"]))
def test_a_spec(spec: dict[str, Any]) -> None:
    assert differing(spec, parse_spec(spec).to_json()) == []
