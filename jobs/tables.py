"""The tables. Times are UTC; in the database they are whole milliseconds since 1970, by the database's own clock."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from sqlalchemy import JSON, BigInteger, Boolean, Dialect, ForeignKey, Index, Integer, MetaData, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from distillery.states import DeliveryState, EndReason, JobState
from jobs.ids import LOCAL
from jobs.telemetry.trace import TraceContext


class UtcTime(TypeDecorator[datetime]):
    """A moment, stored as milliseconds since 1970, so that SQLite and PostgreSQL compare and add alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else round(value.timestamp() * 1000)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value / 1000, UTC)


_E = TypeVar("_E", bound=StrEnum)


class EnumText(TypeDecorator[_E]):
    """A member of an enum, stored as its text: a new member needs no change of the table."""

    impl = String
    cache_ok = True

    def __init__(self, members: type[_E], length: int) -> None:
        super().__init__(length)
        self.members = members

    def process_bind_param(self, value: _E | None, dialect: Dialect) -> str | None:
        return None if value is None else self.members(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> _E | None:
        return None if value is None else self.members(value)


def exact_reason(end_reason: EndReason | None, end_cause: str | None) -> EndReason | None:
    """Of the two columns that say why a job ended, what this program can make."""
    return EndReason(end_cause) if end_cause in set(EndReason) else end_reason


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcTime, dict[str, Any]: JSON(none_as_null=True)}  # noqa: RUF012
    # Named by rule, so that a migration can name what it changes on any database.
    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pk",
            "fk": "%(table_name)s_%(column_0_name)s_fk",
            "ix": "%(table_name)s_%(column_0_name)s",
        }
    )


_LIMITED = text("queue_ms IS NOT NULL")
_OTHER_KIND = text("kind IS NOT NULL")


class Job(Base):
    """One job.

    `version` goes up with every change that a reader can see (the ETag). `token` goes up with every claim: a write that
    carries an older one changes nothing. `last_event` is the number of the newest event. `ran_ms` is how long its ended
    attempts ran; `claimed_at` when the present one began. `stalled_since` is when the trainer of a running job was last
    known to get on, if that is long ago. `end_reason` is for programs of every version; `reason` says it exactly.
    `warnings` are those of `kd_engine.jobspec.warnings`; None of a job that an earlier version made. `names` are those
    of what was sent and the spec asks for, as `jobs.repository.names.of_spec` has them. `queue_ms` is how long it may
    wait in the queue at one go; None: for ever. `kind` is None of distillations, and of what earlier versions made.
    """

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    state: Mapped[JobState] = mapped_column(EnumText(JobState, 16))
    spec: Mapped[dict[str, Any]]
    dataset: Mapped[str] = mapped_column(String(200))
    student: Mapped[str] = mapped_column(String(200))
    device: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str] = mapped_column(String(100), default=LOCAL, server_default=LOCAL)
    rank: Mapped[int] = mapped_column(Integer, default=0, server_default="0")  # -priority: one index serves the order
    keep_seconds: Mapped[int | None] = mapped_column(BigInteger)
    planned_epochs: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    retry_of: Mapped[str | None] = mapped_column(String(40))

    version: Mapped[int] = mapped_column(BigInteger, default=1)
    last_event: Mapped[int] = mapped_column(BigInteger, default=0)
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    lost_attempts: Mapped[int] = mapped_column(Integer, default=0)
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    worker: Mapped[str | None] = mapped_column(String(200))
    lease_expires: Mapped[datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(Boolean, default=False)
    pause_requested: Mapped[bool] = mapped_column(Boolean, default=False)

    progress: Mapped[dict[str, Any] | None]
    metrics: Mapped[dict[str, Any] | None]
    end_reason: Mapped[EndReason | None] = mapped_column(EnumText(EndReason, 32))
    end_detail: Mapped[str | None] = mapped_column(Text)
    end_cause: Mapped[str | None] = mapped_column(String(32))

    created_at: Mapped[datetime]
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    stalled_since: Mapped[datetime | None]
    warnings: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    names: Mapped[dict[str, Any] | None]
    queue_ms: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[str | None] = mapped_column(String(32))
    ran_ms: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")

    traceparent: Mapped[str | None] = mapped_column(String(55))
    tracestate: Mapped[str | None] = mapped_column(String(512))

    __table_args__ = (
        Index("jobs_queue", "state", "owner", "device", "rank", "id"),
        Index("jobs_owner", "owner", "id"),
        Index("jobs_finished", "finished_at"),
        Index("jobs_expires", "expires_at"),
        Index("jobs_retry_of", "retry_of", unique=True),
        Index("jobs_state_lease", "state", "lease_expires"),
        Index("jobs_state_id", "state", "id"),
        Index("jobs_queue_limit", "state", "queue_ms", sqlite_where=_LIMITED, postgresql_where=_LIMITED),
        Index("jobs_kind", "kind", "id", sqlite_where=_OTHER_KIND, postgresql_where=_OTHER_KIND),
    )

    @property
    def reason(self) -> EndReason | None:
        """Why it ended; where a newer program wrote a reason that this one does not know, the nearest that it does."""
        return exact_reason(self.end_reason, self.end_cause)

    @property
    def stalled(self) -> datetime | None:
        """Since when its present attempt does not get on; None while it does, and when it does not run."""
        since, claimed = self.stalled_since, self.claimed_at
        return since if since is not None and claimed is not None and since >= claimed else None

    @property
    def priority(self) -> int:
        """Of its owner's waiting jobs the one with the highest goes first."""
        return -self.rank

    @property
    def trace(self) -> TraceContext | None:
        """The span that made the job; None for a job of an earlier version of this program."""
        return TraceContext.parse(self.traceparent, self.tracestate)

    @property
    def resources(self) -> dict[str, Any]:
        """What the spec asks for; a sweep has it in its base."""
        return dict(self.spec.get("base", self.spec).get("resources", {}))

    @property
    def labels(self) -> dict[str, str]:
        """From the spec; the table of labels is for filtering alone."""
        return dict(self.spec.get("labels", {}))


class JobLabel(Base):
    """One label of a job, for filtering; the spec holds them too."""

    __tablename__ = "job_labels"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(63), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))

    __table_args__ = (Index("job_labels_key_value", "key", "value", "job_id"),)


class JobEvent(Base):
    """Something that happened to a job; `seq` counts from 1 without gaps within the job."""

    __tablename__ = "job_events"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    attempt: Mapped[int] = mapped_column(Integer)
    type: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class Metric(Base):
    """The metrics of one epoch. The key makes an epoch count once, however often it was run."""

    __tablename__ = "metrics"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    phase: Mapped[str] = mapped_column(String(16), primary_key=True)
    repeat: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    values: Mapped[dict[str, Any]]


class TrialMetric(Base):
    """The metrics of one epoch of a sweep. A training that several trials share is of the first of them."""

    __tablename__ = "trial_metrics"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    phase: Mapped[str] = mapped_column(String(16), primary_key=True)
    trial: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    repeat: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    values: Mapped[dict[str, Any]]


class Artifact(Base):
    """A file of a job that readers may have. What is not listed here does not exist for them.

    `kind` is `result` (downloadable), `checkpoint` (for the next attempt alone) or `upload` (what a check is of).
    `key` is the store's name for it.
    """

    __tablename__ = "artifacts"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(400))
    created_at: Mapped[datetime]


class SentDataset(Base):
    """A data set that somebody sent. All that is known of it stands with the job that checks it, and its artifacts.

    `named_at` is when it got its name, where that was after `created_at`.
    """

    __tablename__ = "datasets"
    prefix: ClassVar[str] = "ds"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    created_at: Mapped[datetime]
    named_at: Mapped[datetime | None]

    __table_args__ = (Index("datasets_owner", "owner", "id"),)


class SentModel(Base):
    """A network that somebody sent, or wants to keep. All that is known of it stands with the job that looked at it.

    `role` is None for what was sent; otherwise it says which network of a training job is kept. `named_at` is when it
    got its name, where that was after `created_at`.
    """

    __tablename__ = "models"
    prefix: ClassVar[str] = "mdl"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    role: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime]
    named_at: Mapped[datetime | None]

    __table_args__ = (Index("models_owner", "owner", "id"),)


class Upload(Base):
    """A file that is being sent. How much has arrived, the file itself says.

    `reserved` counts in its owner's quota: the bytes that have arrived, and those that the request under way may bring.
    """

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(100))
    reserved: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]

    __table_args__ = (Index("uploads_owner", "owner", "id"),)


class IdempotencyKey(Base):
    """The first answer to a `POST /jobs` of this owner with this key."""

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(String(100), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_sha256: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]


class Worker(Base):
    """A worker process and when it was last heard. `lacks` says in words what it needs before it takes a job."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    device: Mapped[str] = mapped_column(String(16))
    job_id: Mapped[str | None] = mapped_column(String(40))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    lacks: Mapped[str | None] = mapped_column(String(200))


class Owner(Base):
    """Whose jobs there are, and when a job of theirs was last begun."""

    __tablename__ = "owners"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    served_at: Mapped[datetime | None]


class LogLine(Base):
    """A line of a run's log; `seq` counts from 1 without gaps within the job."""

    __tablename__ = "job_logs"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    attempt: Mapped[int] = mapped_column(Integer)
    line: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class Delivery(Base):
    """A message to a webhook. It belongs to no job, so that it also goes out when the job is deleted meanwhile.

    `host` is that of the URL. `taken_until` is when a message comes up again that somebody is just delivering.
    """

    __tablename__ = "deliveries"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    job_id: Mapped[str] = mapped_column(String(40), index=True)
    owner: Mapped[str] = mapped_column(String(100))
    url: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[DeliveryState] = mapped_column(EnumText(DeliveryState, 16))
    tries: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime]
    host: Mapped[str] = mapped_column(String(255), default="", server_default=text("''"))
    taken_until: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        Index("deliveries_state_due", "state", "due_at"),
        Index("deliveries_turn", "state", "owner", "due_at", "id", "host"),
        Index("deliveries_taken", "taken_until"),
        Index("deliveries_settled", "settled_at"),
    )
