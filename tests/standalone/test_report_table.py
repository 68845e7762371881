from __future__ import annotations

from typing import Any

import pytest

from standalone.report_table import published_accuracy, report_table


def row(network: str, parameters: int, mean: float, spread: float | None, seeds: int) -> dict[str, Any]:
    accuracy = {"mean": mean, "spread": spread, "interval": [mean - 0.01, mean + 0.01]}
    runs = [{"repeat": repeat, "test_accuracy": mean + 0.0015 * repeat} for repeat in range(seeds)]
    about = {"network": network, "model": "m", "parameters": parameters, "seeds": seeds}
    return about | {"test_accuracy": accuracy, "runs": runs}


REPORT = {
    "verdict": "no evidence",
    "summary": "There is none.",
    "published_repeat": 1,
    "rows": [row("teacher", 3_274_634, 0.99, None, 1), row("distilled", 7850, 0.9235, 0.0012, 5)],
}


def test_the_table_lines_up_and_ends_with_the_verdict() -> None:
    assert report_table(REPORT).splitlines() == [
        "network    model  parameters                   test accuracy      95 % interval",
        "---------  -----  ----------  ------------------------------  -----------------",
        "teacher    m       3,274,634                         99.00 %  98.00 to 100.00 %",
        "distilled  m           7,850  92.35 % (spread 0.12, 5 seeds)   91.35 to 93.35 %",
        "",
        "verdict: no evidence. There is none.",
    ]


def test_the_accuracy_of_the_file_is_that_of_its_repeat() -> None:
    assert published_accuracy(REPORT, "distilled") == pytest.approx(0.925)
    assert published_accuracy(REPORT, "teacher") == 0.99
    with pytest.raises(KeyError, match="student alone"):
        published_accuracy(REPORT, "student alone")
