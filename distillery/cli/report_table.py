"""A job's report as a table for the terminal."""

from __future__ import annotations

from kd_engine.schema.report import NetworkRow, TrainingReport


def report_table(report: TrainingReport) -> str:
    """The rows of the report, then its verdict in a sentence."""
    header = ("network", "model", "parameters", f"test {report.metrics[0].label}", "95 % interval")
    rows = [header, *(_cells(row, report) for row in report.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", f"verdict: {report.verdict}. {report.summary}"])


def published_score(report: TrainingReport, phase: str) -> float:
    """The first metric of the phase's network that is among the files: of one repeat, no mean.

    Raises:
        KeyError: the report has no such network.
    """
    score = report.row(phase).run(report.published_repeat).scores[report.main]
    assert score is not None, "the first metric always applies"
    return score


def _cells(row: NetworkRow, report: TrainingReport) -> tuple[str, ...]:
    metric, score = report.metrics[0], row.scores[report.main]
    mean = metric.show(score.mean)
    if score.spread is not None:
        mean += f" (spread {metric.show(score.spread).removesuffix(' %')}, {row.seeds} seeds)"
    low, high = score.interval or (None, None)
    interval = "" if low is None or high is None else f"{metric.show(low).removesuffix(' %')} to {metric.show(high)}"
    return row.network, row.model, f"{row.parameters:,}", mean, interval


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    first, second, *rest = zip(cells, widths, strict=True)
    left = [f"{cell:<{width}}" for cell, width in (first, second)]
    return "  ".join([*left, *(f"{cell:>{width}}" for cell, width in rest)])
