"""What the answers hold. Each is built here once and sent as it is: nothing is validated a second time on its way out.

Times are UTC (RFC 3339), sizes are bytes, accuracies and fractions lie between 0 and 1.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from distillery.quota import Quota
from distillery.states import DeliveryState, EndReason, JobState
from kd_engine.schema.manifest import Manifest
from kd_engine.schema.metrics import Metric
from kd_engine.schema.warnings import SpecWarning


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _later(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """A client passes on what a later service says for a reason; the service itself says what stands here."""
    try:
        return handler(value)
    except ValidationError:
        if isinstance(value, str) and info.context is not None and info.context.get("of_a_later_service"):
            return value
        raise


_Later = WrapValidator(_later)


class Progress(BaseModel):
    """Where a job is. `step` of `steps` in this epoch; `fraction` and `seconds_remaining` are of the whole job."""

    phase: str
    repeat: int
    epoch: int
    step: int
    steps: int
    fraction: float
    seconds_remaining: float | None = None
    trial: int | None = Field(None, exclude_if=lambda value: value is None, description="Of a sweep.")
    trials: int | None = Field(None, exclude_if=lambda value: value is None, description="Of a sweep: how many.")
    trials_done: int | None = Field(None, exclude_if=lambda value: value is None, description="That have ended.")


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
    logs: str
    report: str
    artifacts: str
    deliveries: str
    cancel: str
    pause: str
    resume: str
    retry: str

    @classmethod
    def of(cls, job_id: str) -> Self:
        path = f"/jobs/{job_id}"
        below = {name: f"{path}/{name}" for name in cls.model_fields}
        return cls.model_validate(below | {"self": path})


class SentName(_View):
    """What was sent, or kept of a job: its id, and the name that it had when the job was made."""

    id: str
    name: str


class JobSummary(_View):
    """A job in a list."""

    id: str
    name: str
    state: JobState
    owner: str = Field(description="Whose it is; `local` where there are no API keys.")
    priority: int = Field(description="Among its owner's waiting jobs, the one with the highest goes first.")
    position: int | None = Field(
        description="While it is queued: its place, 1 for the one that starts next, as things are now and if nobody "
        "else comes; null when it is not."
    )
    cancel_requested: bool = Field(description="Whether its worker was asked to stop it.")
    pause_requested: bool = Field(description="Whether its worker was asked to pause it.")
    retry_of: str | None = Field(description="The job that this one runs again.")
    phase: str | None = Field(description="Once it runs: `teacher`, `baseline`, `student`; or its kind.")
    progress: dict[str, Any] | None = Field(description="As the schema Progress has it; null before the first step.")
    metrics: dict[str, Any] | None = Field(description="Of the latest epoch.")
    attempt: int = Field(description="How many times a worker has taken it.")
    stalled_since: datetime | None = Field(
        description="While it runs: since when its trainer has shown no progress; null while it does."
    )
    reason: Annotated[EndReason, _Later] | None = Field(description="Why it ended.")
    detail: str | None = Field(description="More on that, for a person.")
    times: Times
    labels: dict[str, str]
    names: dict[str, SentName] = Field(
        description="Of what was sent and the spec asks for, by its place there: `dataset`, `teacher`, "
        "`teacher/ensemble/0`, `model`. What was sent without a name is left out."
    )
    links: Links


class WaitingFor(_View):
    """Why a queued job does not run: `no_worker` for its device, `no_room` on the disks of those that there are, its
    owner's `quota`, or it is not yet its `turn`.
    """

    code: Annotated[Literal["no_worker", "no_room", "quota", "turn"], _Later]
    detail: str


class JobView(JobSummary):
    """A job, with its resolved spec: running that again gives the same student."""

    waiting_for: WaitingFor | None = Field(description="Why it waits; null when it is not queued.")
    warnings: list[SpecWarning] = Field(
        description="What to look at in the spec; once the job runs, with what its data and machine say."
    )
    trace_id: str | None = Field(description="The W3C trace of the request that made it, in logs and spans too.")
    spec: dict[str, Any] = Field(description="As the schema of its kind has it, resolved.")


class JobPage(_View):
    """Newest first; `next_page_token` is null on the last page."""

    jobs: list[JobSummary]
    next_page_token: str | None


class UploadView(_View):
    """A file that is being sent in parts."""

    id: str
    offset: int = Field(description="Bytes that have arrived; the next part begins there.")
    created: datetime


class UploadEntry(_View):
    """A file in parts, in a list."""

    id: str
    owner: str
    bytes: int = Field(description="What counts in the quota: those that have arrived, or that a request announces.")
    created: datetime


class UploadPage(_View):
    """Newest first; `next_page_token` is null on the last page."""

    uploads: list[UploadEntry]
    next_page_token: str | None


class DatasetView(_View):
    """A data set that was sent. Jobs may name it as soon as it is `ready`."""

    id: str
    name: str
    owner: str
    state: Literal["checking", "ready", "failed"] = Field(description="What has come of its check.")
    detail: str | None = Field(description="Why it failed, for a person.")
    progress: dict[str, Any] | None = Field(description="Of the check, as the schema Progress has it.")
    manifest: Manifest | None = Field(
        description="What the check found: classes, images, sizes, mean and std, duplicates, broken pictures. "
        "Null in lists, and until it is ready."
    )
    created: datetime
    links: dict[str, str] = Field(description="`self`; `job`: its check; `thumbnails` once it is ready.")


class DatasetPage(_View):
    """Newest first; `next_page_token` is null on the last page."""

    datasets: list[DatasetView]
    next_page_token: str | None


class ModelView(_View):
    """A network that was sent, or kept of a job. Jobs may name it as soon as it is `ready`."""

    id: str
    name: str
    owner: str
    state: Literal["checking", "ready", "failed"] = Field(description="What has come of looking at it.")
    detail: str | None = Field(description="Why it failed, for a person.")
    dataset: str = Field(description="What it was measured on: a name, or the id of a data set that was sent.")
    job: str = Field(description="The job that looked at it, or that trained it.")
    role: str = Field(description="Which network of that job it is; `model`: the one that was sent.")
    created: datetime
    links: dict[str, str] = Field(description="`self`, `job`; `report`, once it is ready.")


class ModelPage(_View):
    """Newest first; `next_page_token` is null on the last page."""

    models: list[ModelView]
    next_page_token: str | None


class TrialView(_View):
    """One trial of a sweep: its values by path into a job's spec."""

    number: int
    values: dict[str, JsonValue]


class Resolved(_View):
    """The answer to `validate_only`: what would be run, and what to look at in it."""

    spec: dict[str, Any]
    warnings: list[SpecWarning]
    names: dict[str, SentName] = Field(description="Of what was sent: what the names in the body stand for.")
    trials: list[TrialView] | None = Field(
        None, exclude_if=lambda value: value is None, description="Of a sweep: what it would try, in this order."
    )


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


class LogLineView(_View):
    """A line that a trainer wrote; `seq` counts from 1 without gaps."""

    seq: int
    attempt: int
    line: str
    at: datetime


class LogPage(_View):
    """Oldest first; `after` of the next page, or null when there is nothing newer yet."""

    lines: list[LogLineView]
    next_after: int | None


class DeliveryView(_View):
    """A message to a webhook. `due` is when it is tried next; null once it was delivered or given up."""

    id: str
    url: str
    state: DeliveryState
    tries: int
    last_error: str | None
    created: datetime
    due: datetime | None
    settled: datetime | None


class DeliveryList(_View):
    """In the order in which they were made; none before the job has ended."""

    deliveries: list[DeliveryView]


class UsageView(_View):
    """What one owner has, and may have; null where there is no limit. `queued` counts paused jobs too."""

    owner: str
    running: int
    queued: int
    bytes: int = Field(description="Of stored files, and of those on their way.")
    epochs: int = Field(description="Planned by all jobs that have not ended.")
    uploads: int = Field(description="Files on their way.")
    upload_bytes: int = Field(description="Theirs among `bytes`, those included that the requests under way may bring.")
    limits: Quota


class MetricView(_View):
    """The metrics of one epoch, which counts from 1."""

    phase: str
    repeat: int
    trial: int | None = Field(None, exclude_if=lambda value: value is None, description="Of a sweep alone.")
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


class TaskView(_View):
    """A task: what the targets of a data set mean."""

    name: str
    summary: str
    metrics: list[Metric] = Field(description="What is measured of a network; the first decides.")


class ExporterView(_View):
    """A form in which a student is published besides safetensors."""

    name: str
    summary: str
    file: str = Field(description="Its name among a job's artifacts.")
    media_type: str
    needs: list[str] = Field(description="The forms that it is made from: list them too.")
    default: bool = Field(description="Written where a spec has no `export`.")


class CatalogView(_View):
    """Everything that a spec may name, each with the JSON schema of its parameters."""

    tasks: list[TaskView] = Field(description="What data sets are for, with the metrics of each.")
    datasets: list[dict[str, Any]]
    models: list[dict[str, Any]]
    losses: list[dict[str, Any]]
    optimizers: list[dict[str, Any]]
    schedules: list[dict[str, Any]]
    augmentations: list[dict[str, Any]]
    exporters: list[ExporterView] = Field([], description="What `export` may list.")


class Health(_View):
    status: str


class Part(_View):
    """One thing that the service needs."""

    ok: bool
    detail: str


class Readiness(_View):
    status: str
    parts: dict[str, Part]
