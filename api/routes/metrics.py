"""What a job measured."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from api.dependencies.context import Context, ContextDep
from api.http.query_params import MetricsQuery
from api.http.responses import accepts, problems
from api.middleware.auth import caller_of
from api.presenters.resource_views import metric_view
from distillery.resources import MetricSeries, MetricView
from jobs.tables import Metric, TrialMetric

router = APIRouter(prefix="/jobs/{job_id}", tags=["history"])

_PAGE = 2000


@router.get(
    "/metrics",
    summary="Metrics of a job",
    responses={
        200: {
            "model": MetricSeries,
            "description": "By phase, repeat and epoch; of a sweep by phase, trial, repeat and epoch.",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        },
        **problems(400, 404),
    },
    openapi_extra={"parameters": MetricsQuery.openapi()},
)
def read_metrics(job_id: str, request: Request, context: ContextDep) -> Response:
    """The whole series; as CSV with `Accept: text/csv` or `?format=csv`."""
    query = MetricsQuery.read(request.query_params)
    with context.database.read() as repository:
        repository.get(job_id, caller_of(request).owner_filter)
    wants_csv = query.format == "csv" if query.format else accepts(request, "text/csv")
    series = _csv if wants_csv else _json
    media_type = "text/csv" if wants_csv else "application/json"
    return StreamingResponse(series(context, job_id), headers={"Vary": "Accept"}, media_type=media_type)


def _pages(context: Context, job_id: str) -> Iterator[list[MetricView]]:
    """Some at a time, each in a transaction of its own: a job may have millions, and its reader may be slow."""
    last: Metric | TrialMetric | None = None
    while True:
        with context.database.read() as repository:
            page = repository.metrics_page(job_id, last, _PAGE)
        yield [metric_view(metric) for metric in page]
        if len(page) < _PAGE:
            return
        last = page[-1]


def _json(context: Context, job_id: str) -> Iterator[str]:
    """As the schema MetricSeries has it."""
    comma = ""
    yield '{"metrics":['
    for rows in _pages(context, job_id):
        if rows:
            yield comma + ",".join(row.model_dump_json() for row in rows)
            comma = ","
    yield "]}"


def _csv(context: Context, job_id: str) -> Iterator[str]:
    """One line an epoch; a metric that an epoch lacks is an empty cell."""
    names, of_sweep = set[str](), False
    for rows in _pages(context, job_id):
        names.update(*(row.metrics for row in rows))
        of_sweep = of_sweep or any(row.trial is not None for row in rows)
    place = ["phase", *(["trial"] if of_sweep else []), "repeat", "epoch"]
    yield _lines([[*place, *sorted(names)]])
    for rows in _pages(context, job_id):
        yield _lines([*(getattr(row, key) for key in place), *map(row.metrics.get, sorted(names))] for row in rows)


def _lines(rows: Iterable[Iterable[object]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
