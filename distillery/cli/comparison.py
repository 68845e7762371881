"""Jobs side by side: the keys of their specs that differ, and the verdict and scores of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from distillery.resources import JobView
from kd_engine.schema.evaluation_report import AnyReport
from kd_engine.schema.metrics import Estimate, Metric
from kd_engine.schema.report import TrainingReport
from kd_engine.schema.sweep_report import SweepReport

_NO_DIFFERENCE = ("name", "labels")  # what a spec says of itself, and not of the training


def compare(jobs: list[tuple[JobView, AnyReport | None]]) -> list[dict[str, Any]]:
    """For each job what is shown of it, by name: texts, in the order in which they are to be read."""
    specs = [dict(_leaves({key: job.spec[key] for key in job.spec if key not in _NO_DIFFERENCE})) for job, _ in jobs]
    keys = list(dict.fromkeys(key for spec in specs for key in spec))
    differing = [key for key in keys if len({json.dumps(spec.get(key)) for spec in specs}) > 1]
    return [
        {"id": job.id, "name": job.name, "state": str(job.state)}
        | {key: _text(spec.get(key)) for key in differing}
        | (_outcome(report) if report is not None else {})
        for (job, report), spec in zip(jobs, specs, strict=True)
    ]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{number}")
    else:
        yield path, value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _outcome(report: AnyReport) -> dict[str, str]:
    metric = report.metrics[0]
    if isinstance(report, SweepReport):
        chosen = report.trials[report.chosen]
        scores = {f"chosen trial {chosen.number}, test {metric.label}": _estimate(metric, chosen.scores[report.main])}
        gain = {} if chosen.difference is None else {"distilled less alone": _estimate(metric, chosen.difference)}
        return scores | gain | {"verdict": report.verdict}
    if not isinstance(report, TrainingReport):
        return {f"test {metric.label}": _interval(metric, report.main, report.interval)}
    scores = {f"{row.network}, test {metric.label}": _estimate(metric, row.scores[report.main]) for row in report.rows}
    gain = {} if report.difference is None else {"distilled less alone": _estimate(metric, report.difference)}
    return scores | gain | {"verdict": report.verdict}


def _estimate(metric: Metric, estimate: Estimate) -> str:
    return _interval(metric, estimate.mean, estimate.interval)


def _interval(metric: Metric, mean: float, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return metric.show(mean)
    low, high = (metric.show(end).removesuffix(" %") for end in interval)
    return f"{metric.show(mean)} ({low} to {high})"
