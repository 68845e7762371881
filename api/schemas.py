"""What the answers hold. Each is built here once and sent as it is: nothing is validated a second time on its way out.

Times are UTC (RFC 3339), sizes are bytes, accuracies and fractions lie between 0 and 1.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from jobs.models import Artifact, Job, JobEvent, Metric, Worker
from jobs.states import EndReason, JobState
from kd_engine.spec import AnySpec


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Progress(BaseModel):
    """Where a job is. `step` of `steps` in this epoch; `fraction` and `seconds_remaining` are of the whole job."""

    phase: str
    repeat: int
    epoch: int
    step: int
    steps: int
    fraction: float
    seconds_remaining: float | None = None


class Times(_View):
    """`queued` is the last time that the job was put into the queue, `started` the start of the first attempt."""

    created: datetime
    queued: datetime
    started: datetime | None
    finished: datetime | None


class Links(_View):
    """Paths of what belongs to a job."""

    self: str
    events: str
    metrics: str
    report: str
    artifacts: str
    cancel: str

    @classmethod
    def of(cls, job_id: str) -> Self:
        path = f"/jobs/{job_id}"
        below = {name: f"{path}/{name}" for name in ("events", "metrics", "report", "artifacts", "cancel")}
        return cls.model_validate({"self": path, **below})


class JobSummary(_View):
    """A job in a list."""

    id: str
    name: str
    state: JobState
    cancel_requested: bool = Field(description="Whether its worker was asked to stop it.")
    phase: str | None = Field(description="`teacher`, `baseline`, `student` or `evaluate`, once it runs.")
    progress: dict[str, Any] | None = Field(description="As the schema Progress has it; null before the first step.")
    metrics: dict[str, Any] | None = Field(description="Of the latest epoch.")
    attempt: int = Field(description="How many times a worker has taken it.")
    reason: EndReason | None = Field(description="Why it ended.")
    detail: str | None = Field(description="More on that, for a person.")
    times: Times
    labels: dict[str, str]
    links: Links


class JobView(JobSummary):
    """A job, with its resolved spec: running that again gives the same student."""

    spec: dict[str, Any] = Field(description="As the schema JobSpec, or EvaluateSpec, has it, resolved.")


class JobPage(_View):
    """Newest first; `next_page_token` is null on the last page."""

    jobs: list[JobSummary]
    next_page_token: str | None


class Resolved(_View):
    """The answer to `validate_only`: what would be run."""

    spec: dict[str, Any]


class EventView(_View):
    """Something that happened to a job; `seq` counts from 1 without gaps."""

    seq: int
    attempt: int
    type: str
    data: dict[str, Any]
    at: datetime


class EventPage(_View):
    """Oldest first; `after` of the next page, or null when there is nothing newer yet."""

    events: list[EventView]
    next_after: int | None


class MetricView(_View):
    """The metrics of one epoch, which counts from 1."""

    phase: str
    repeat: int
    epoch: int
    metrics: dict[str, float | None]


class MetricSeries(_View):
    """By phase as they run, repeat and epoch."""

    metrics: list[MetricView]


class ArtifactView(_View):
    """A file of a job."""

    name: str
    kind: str
    media_type: str
    size: int
    sha256: str
    created: datetime
    href: str


class ArtifactList(_View):
    artifacts: list[ArtifactView]


class CatalogView(_View):
    """Everything that a spec may name, each with the JSON schema of its parameters."""

    datasets: list[dict[str, Any]]
    models: list[dict[str, Any]]
    losses: list[dict[str, Any]]
    optimizers: list[dict[str, Any]]
    schedules: list[dict[str, Any]]
    augmentations: list[dict[str, Any]]


class Health(_View):
    status: str


class Part(_View):
    """One thing that the service needs."""

    ok: bool
    detail: str


class Readiness(_View):
    status: str
    parts: dict[str, Part]


class FieldError(_View):
    """What is wrong with one field: `pointer` (RFC 6901) into the body, or the name of a query `parameter`."""

    pointer: str | None = None
    parameter: str | None = None
    message: str
    code: str


class ProblemView(BaseModel):
    """RFC 9457. `code` is stable; some codes add members (`state` of the job, `parts` of the service)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = []


def job_summary(job: Job) -> JobSummary:
    return JobSummary(**_summary(job), labels=job.spec.get("labels", {}))


def job_view(job: Job) -> JobView:
    return JobView(**_summary(job), labels=job.spec.get("labels", {}), spec=job.spec)


def created_view(job: Job) -> JobView:
    """The job as it was when it was made, whatever happened since: a repeated POST gets the first answer again."""
    times = Times(created=job.created_at, queued=job.created_at, started=None, finished=None)
    first = {"state": JobState.QUEUED, "cancel_requested": False, "phase": None, "progress": None, "metrics": None}
    first |= {"attempt": 0, "reason": None, "detail": None, "times": times}
    return job_view(job).model_copy(update=first)


def _summary(job: Job) -> dict[str, Any]:
    progress = job.progress
    return {
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "cancel_requested": job.cancel_requested,
        "phase": progress.get("phase") if progress else None,
        "progress": progress,
        "metrics": job.metrics,
        "attempt": job.attempt,
        "reason": job.end_reason,
        "detail": job.end_detail,
        "times": Times(created=job.created_at, queued=job.queued_at, started=job.started_at, finished=job.finished_at),
        "links": Links.of(job.id),
    }


def resolved_view(spec: AnySpec) -> Resolved:
    return Resolved(spec=spec.to_json())


def event_view(event: JobEvent) -> EventView:
    return EventView(seq=event.seq, attempt=event.attempt, type=event.type, data=event.data, at=event.at)


def metric_view(metric: Metric) -> MetricView:
    return MetricView(phase=metric.phase, repeat=metric.repeat, epoch=metric.epoch, metrics=metric.values)


def artifact_view(artifact: Artifact) -> ArtifactView:
    return ArtifactView(
        name=artifact.name,
        kind=artifact.kind,
        media_type=artifact.media_type,
        size=artifact.size,
        sha256=artifact.sha256,
        created=artifact.created_at,
        href=f"/jobs/{artifact.job_id}/artifacts/{artifact.name}",
    )


def workers_part(workers: list[Worker], within_seconds: float) -> Part:
    if not workers:
        return Part(ok=False, detail=f"no worker was heard in the last {within_seconds:g} seconds; start one.")
    return Part(ok=True, detail=f"{len(workers)} heard in the last {within_seconds:g} seconds.")
