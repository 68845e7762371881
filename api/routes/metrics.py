"""What a job measured."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from api.access import caller_of
from api.answers import accepts, answer, problems
from api.deps import ContextDep
from api.query import MetricsQuery
from api.schemas import MetricSeries, MetricView
from api.views import metric_view

router = APIRouter(prefix="/jobs/{job_id}", tags=["history"])


@router.get(
    "/metrics",
    summary="Metrics of a job",
    responses={
        200: {
            "model": MetricSeries,
            "description": "By phase, repeat and epoch.",
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
        repository.get(job_id, caller_of(request).sees)
        rows = [metric_view(metric) for metric in repository.metrics(job_id)]
    wants_csv = query.format == "csv" if query.format else accepts(request, "text/csv")
    headers = {"Vary": "Accept"}
    if wants_csv:
        return Response(_csv(rows), headers=headers, media_type="text/csv")
    return answer(MetricSeries(metrics=rows), headers=headers)


def _csv(rows: Sequence[MetricView]) -> str:
    """One line an epoch; a metric that an epoch lacks is an empty cell."""
    names = sorted({name for row in rows for name in row.metrics})
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["phase", "repeat", "epoch", *names])
    for row in rows:
        writer.writerow([row.phase, row.repeat, row.epoch, *(row.metrics.get(name) for name in names)])
    return out.getvalue()
