from __future__ import annotations

from typing import Any

import pytest

from standalone.report_table import accuracy_of, report_table


def row(network: str, parameters: int, mean: float, spread: float | None, seeds: int) -> dict[str, Any]:
    accuracy = {"mean": mean, "spread": spread, "interval": [mean - 0.01, mean + 0.01]}
    return {"network": network, "model": "m", "parameters": parameters, "test_accuracy": accuracy, "seeds": seeds}


REPORT = {
    "verdict": "no evidence",
    "summary": "There is none.",
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


def test_the_accuracy_of_a_network_is_its_mean() -> None:
    assert accuracy_of(REPORT, "distilled") == 0.9235
    with pytest.raises(KeyError, match="student alone"):
        accuracy_of(REPORT, "student alone")
