"""Presenters: rows of the database as the resources of the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from distillery.quota import Quota
from distillery.resources import (
    ArtifactView,
    DatasetView,
    DeliveryView,
    EventView,
    JobSummary,
    JobView,
    Links,
    LogLineView,
    MetricView,
    ModelView,
    Part,
    Resolved,
    SentName,
    Times,
    TrialView,
    UsageView,
    WaitingFor,
)
from distillery.states import DeliveryState, JobState
from jobs.repository import Sent, Usage, Waiting
from jobs.repository.names import Names
from jobs.tables import Artifact, Delivery, Job, JobEvent, LogLine, Metric, SentDataset, SentModel, TrialMetric, Worker
from kd_engine.jobspec import AnySpec, SweepSpec, parse_spec, warnings_of
from kd_engine.schema.manifest import Manifest
from kd_engine.schema.warnings import SpecWarning


def job_summary(job: Job, position: int | None) -> JobSummary:
    return JobSummary(**_summary(job), position=position, labels=job.spec.get("labels", {}))


def job_view(job: Job, waiting: Waiting | None) -> JobView:
    return JobView(
        **_summary(job),
        position=None if waiting is None else waiting.position,
        labels=job.spec.get("labels", {}),
        waiting_for=_waiting_for(waiting),
        warnings=[SpecWarning(**warning) for warning in job.warnings or ()],
        trace_id=job.trace.trace_id if job.trace else None,
        spec=job.spec,
    )


def _waiting_for(waiting: Waiting | None) -> WaitingFor | None:
    return None if waiting is None else WaitingFor(code=waiting.code, detail=waiting.detail)


def created_view(job: Job, waiting: Waiting) -> JobView:
    """The job as it was when it was made, whatever happened since: a repeated POST gets the first answer again."""
    times = Times(created=job.created_at, queued=job.created_at, started=None, finished=None)
    first = {"state": JobState.QUEUED, "cancel_requested": False, "pause_requested": False, "phase": None}
    first |= {
        "progress": None,
        "metrics": None,
        "attempt": 0,
        "stalled_since": None,
        "reason": None,
        "detail": None,
        "times": times,
    }
    if job.attempt:  # a run may have found more
        first["warnings"] = list(warnings_of(parse_spec(job.spec)))
    return job_view(job, waiting).model_copy(update=first)


def _summary(job: Job) -> dict[str, Any]:
    progress = job.progress
    return {
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "owner": job.owner,
        "priority": job.priority,
        "cancel_requested": job.cancel_requested,
        "pause_requested": job.pause_requested,
        "retry_of": job.retry_of,
        "phase": progress.get("phase") if progress else None,
        "progress": progress,
        "metrics": job.metrics,
        "attempt": job.attempt,
        "stalled_since": job.stalled,
        "reason": job.reason,
        "detail": job.end_detail,
        "times": Times(created=job.created_at, queued=job.queued_at, started=job.started_at, finished=job.finished_at),
        "names": _names(job.names or {}),
        "links": Links.of(job.id),
    }


_SENT_STATES: dict[JobState, Literal["checking", "ready", "failed"]] = {
    JobState.SUCCEEDED: "ready", JobState.FAILED: "failed", JobState.CANCELLED: "failed",
}  # fmt: skip


def dataset_view(dataset: Sent[SentDataset], manifest: Manifest | None) -> DatasetView:
    row, job = dataset.row, dataset.job
    links = {"self": f"/datasets/{row.id}", "job": f"/jobs/{job.id}"}
    if job.state is JobState.SUCCEEDED:
        links["thumbnails"] = f"/jobs/{job.id}/artifacts/thumbnails.png"
    return DatasetView(
        id=row.id,
        name=row.name,
        owner=row.owner,
        state=_SENT_STATES.get(job.state, "checking"),
        detail=job.end_detail or None,
        progress=job.progress,
        manifest=manifest,
        created=row.created_at,
        links=links,
    )


def model_view(sent: Sent[SentModel]) -> ModelView:
    row, job = sent.row, sent.job
    links = {"self": f"/models/{row.id}", "job": f"/jobs/{job.id}"}
    if job.state is JobState.SUCCEEDED:
        links["report"] = f"/jobs/{job.id}/report"
    return ModelView(
        id=row.id,
        name=row.name,
        owner=row.owner,
        state=_SENT_STATES.get(job.state, "checking"),
        detail=job.end_detail or None,
        dataset=job.dataset,
        job=job.id,
        role=row.role or "model",
        created=row.created_at,
        links=links,
    )


def resolved_view(spec: AnySpec, names: Names) -> Resolved:
    trials = None
    if isinstance(spec, SweepSpec):
        trials = [TrialView(number=trial.number, values=dict(trial.values)) for trial in spec.expanded]
    return Resolved(spec=spec.to_json(), warnings=list(warnings_of(spec)), names=_names(names), trials=trials)


def _names(names: Names) -> dict[str, SentName]:
    return {key: SentName(**named) for key, named in names.items()}


def event_view(event: JobEvent) -> EventView:
    return EventView(seq=event.seq, attempt=event.attempt, type=event.type, data=event.data, at=event.at)


def log_line_view(line: LogLine) -> LogLineView:
    return LogLineView(seq=line.seq, attempt=line.attempt, line=line.line, at=line.at)


def delivery_view(delivery: Delivery) -> DeliveryView:
    return DeliveryView(
        id=delivery.id,
        url=delivery.url,
        state=delivery.state,
        tries=delivery.tries,
        last_error=delivery.last_error,
        created=delivery.created_at,
        due=delivery.due_at if delivery.state is DeliveryState.DUE else None,
        settled=delivery.settled_at,
    )


def usage_view(owner: str, usage: Usage, limits: Quota) -> UsageView:
    return UsageView(owner=owner, **asdict(usage), limits=limits)


def metric_view(metric: Metric | TrialMetric) -> MetricView:
    trial = metric.trial if isinstance(metric, TrialMetric) else None
    return MetricView(phase=metric.phase, repeat=metric.repeat, trial=trial, epoch=metric.epoch, metrics=metric.values)


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


def workers_part(workers: list[Worker], within_seconds: float, stalled: int) -> Part:
    if not workers:
        return Part(ok=False, detail=f"no worker was heard in the last {within_seconds:g} seconds; start one.")
    jobs = f" {stalled} of their jobs {'shows' if stalled == 1 else 'show'} no progress." if stalled else ""
    lacking = [worker.lacks for worker in workers if worker.lacks is not None]
    room = (
        f" {len(lacking)} of them {'takes' if len(lacking) == 1 else 'take'} no job: {lacking[0]}." if lacking else ""
    )
    detail = f"{len(workers)} heard in the last {within_seconds:g} seconds.{jobs}{room}"
    return Part(ok=len(lacking) < len(workers), detail=detail)
