from __future__ import annotations

import pytest

from distillery.cli.report_table import published_score, report_table
from kd_engine.schema.metrics import IMAGE_CLASSIFICATION, Estimate
from kd_engine.schema.report import NetworkRow, Run, TrainingReport


def row(phase: str, parameters: int, mean: float, spread: float | None, seeds: int) -> NetworkRow:
    accuracy = Estimate(mean=mean, spread=spread, interval=(mean - 0.01, mean + 0.01), kind="images")
    runs = [
        Run(repeat=repeat, seed=repeat, source="trained", scores={"test_accuracy": mean + 0.0015 * repeat})
        for repeat in range(seeds)
    ]
    name = {"student": "distilled"}.get(phase, phase)
    return NetworkRow(
        network=name, phase=phase, model="m", parameters=parameters, source="trained", seeds=seeds,
        scores={"test_accuracy": accuracy}, runs=tuple(runs),
    )  # fmt: skip


REPORT = TrainingReport(
    task="image_classification", metrics=IMAGE_CLASSIFICATION, verdict="no evidence", summary="There is none.",
    rows=(row("teacher", 3_274_634, 0.99, None, 1), row("student", 7850, 0.9235, 0.0012, 5)), difference=None,
    differences=(), seeds=5, details={}, classes=("a", "b"), published_repeat=1,
)  # fmt: skip


def test_the_table_lines_up_and_ends_with_the_verdict() -> None:
    assert report_table(REPORT).splitlines() == [
        "network    model  parameters                   test accuracy      95 % interval",
        "---------  -----  ----------  ------------------------------  -----------------",
        "teacher    m       3,274,634                         99.00 %  98.00 to 100.00 %",
        "distilled  m           7,850  92.35 % (spread 0.12, 5 seeds)   91.35 to 93.35 %",
        "",
        "verdict: no evidence. There is none.",
    ]


def test_the_table_shows_whatever_metric_the_report_is_about() -> None:
    nats = IMAGE_CLASSIFICATION[2]
    rows = tuple(one.changed(scores={"test_loss": one.scores["test_accuracy"]}) for one in REPORT.rows)
    table = report_table(REPORT.changed(metrics=(nats,), rows=rows)).splitlines()
    assert "test negative log-likelihood" in table[0]
    assert table[3].endswith("0.9235 (spread 0.0012, 5 seeds)  0.9135 to 0.9335")


def test_the_score_of_the_file_is_that_of_its_repeat() -> None:
    assert published_score(REPORT, "student") == pytest.approx(0.925)
    assert published_score(REPORT, "teacher") == 0.99
    with pytest.raises(KeyError, match="baseline"):
        published_score(REPORT, "baseline")
