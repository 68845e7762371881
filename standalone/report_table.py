"""A job's report as a table for the terminal."""

from __future__ import annotations

from typing import Any

_HEADER = ("network", "model", "parameters", "test accuracy", "95 % interval")


def report_table(report: dict[str, Any]) -> str:
    """The rows of the report, then its verdict in a sentence."""
    rows = [_HEADER, *(_cells(row) for row in report["rows"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", f"verdict: {report['verdict']}. {report['summary']}"])


def published_accuracy(report: dict[str, Any], network: str) -> float:
    """The test accuracy, 0 to 1, of the network of this name that is among the files: of one repeat, no mean.

    Raises:
        KeyError: the report has no such network.
    """
    for row in report["rows"]:
        if row["network"] == network:
            runs = {run["repeat"]: run for run in row["runs"]}
            return float(runs.get(report["published_repeat"], runs[0])["test_accuracy"])
    raise KeyError(network)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    accuracy = row["test_accuracy"]
    low, high = accuracy["interval"]
    mean = f"{100 * accuracy['mean']:.2f} %"
    if row["seeds"] > 1:
        mean += f" (spread {100 * accuracy['spread']:.2f}, {row['seeds']} seeds)"
    return row["network"], row["model"], f"{row['parameters']:,}", mean, f"{100 * low:.2f} to {100 * high:.2f} %"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    first, second, *rest = zip(cells, widths, strict=True)
    left = [f"{cell:<{width}}" for cell, width in (first, second)]
    return "  ".join([*left, *(f"{cell:>{width}}" for cell, width in rest)])
