"""All SQL of the service. A repository works within one transaction of its caller and never commits.

Each edge between states is one guarded UPDATE that names the state it starts from; each write of an attempt also names
the attempt's token. No row changed means that somebody else was first. Times come from the database's clock.

    transitions.py     the guarded update that all changes of a job go through, and its events
    lifecycle.py       creation under an idempotency key, retry, cancelling, pausing, deletion
    queries.py         jobs, lists, events, metrics, artifacts
    queue.py           whose turn it is
    attempts.py        what a worker does to a job that it holds
    logs.py            the lines that its trainer wrote
    leases.py          lost jobs; those that waited too long; who is at work
    inbox.py           the repository's part for what users send, made of the next three
    assets.py          data sets and networks that were sent
    names.py           what people call what they sent
    uploads.py         files on their way, and those that came with a job
    usage.py           what an owner has, and may have
    waiting_reason.py  why a queued job waits
    positions.py       at which place of the queue
    counts.py          how many there are of what
    deliveries.py      messages to webhooks
    retention.py       what may go
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import Session

from distillery.quota import NO_QUOTA, Quota
from distillery.states import EndReason
from jobs.artifacts import ArtifactInfo
from jobs.ids import LOCAL
from jobs.repository import (
    attempts,
    counts,
    deliveries,
    leases,
    lifecycle,
    logs,
    positions,
    queries,
    queue,
    retention,
    usage,
    waiting_reason,
)
from jobs.repository.assets import Sent
from jobs.repository.attempts import Renewal
from jobs.repository.counts import Counts
from jobs.repository.inbox import Inbox
from jobs.repository.queries import JobFilter
from jobs.repository.usage import Usage
from jobs.repository.waiting_reason import Waiting
from jobs.tables import Artifact, Delivery, Job, JobEvent, LogLine, Metric, TrialMetric, Worker
from kd_engine.jobspec import AnySpec
from kd_engine.schema.events import Event

__all__ = ["Counts", "JobFilter", "Renewal", "Repository", "Sent", "Usage", "Waiting"]


class Repository(Inbox):
    """The one way to the tables.

    Raises (by every method that is given a `token`):
        LeaseLost: the job is not running under that token; nothing was changed.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    # Jobs, for the API

    def create(
        self,
        spec: AnySpec,
        *,
        owner: str = LOCAL,
        quota: Quota = NO_QUOTA,
        idempotency: tuple[str, str] | None = None,
        note: Mapping[str, Any] = MappingProxyType({}),
    ) -> Job:
        """A new queued job with its first event.

        Args:
            spec: resolved.
            quota: what its owner may have.
            idempotency: the key (at most 255 characters) and the sha256 of the body. When the owner's key came before
                with the same body, the job made then is returned; also when that happens at this very moment in
                another process.
            note: more for the data of its first event.

        Raises:
            KeyReused: the key came before with another body.
            OverQuota: the owner has as much as it may have.
        """
        return lifecycle.create(self._session, spec, owner, quota, idempotency, None, note)

    def find_by_key(self, key: str, body_sha256: str, owner: str = LOCAL) -> Job | None:
        """The job that was made with an idempotency key; raises KeyReused when the body was another one."""
        return lifecycle.find_by_key(self._session, owner, key, body_sha256)

    def retry(
        self, job_id: str, quota: Quota = NO_QUOTA, note: Mapping[str, Any] = MappingProxyType({})
    ) -> tuple[Job, bool]:
        """A new job with the spec of one that failed or was cancelled; it goes on from that one's last checkpoint.

        A job is retried once: asked again, the same new job is returned. (That one may be retried in turn.)

        Returns:
            The new job, and whether it was made just now.

        Raises:
            JobNotFound, OverQuota: as for a new job.
            WrongState: it has not ended, or has succeeded.
        """
        return lifecycle.retry(self._session, job_id, quota, note)

    def get(self, job_id: str, owner: str | None = None) -> Job:
        """The job as it is now; raises JobNotFound, also when it is not the `owner`'s (None: anybody's)."""
        return queries.get(self._session, job_id, owner)

    def why_waiting(self, device: str, owner: str, quota: Quota, priority: int, job_id: str = positions.NEW) -> Waiting:
        """Why a queued job of this owner that asks for this device does not run, as things are now, and its place.

        Args:
            job_id: of a job that is there; else of one that is made now.
        """
        return waiting_reason.why(self._session, device, owner, quota, -priority, job_id)

    def positions(self, jobs: Iterable[Job]) -> dict[str, int]:
        """The place in the queue of each of the jobs that is queued, by its id."""
        return positions.of_jobs(self._session, jobs)

    def list_jobs(self, filters: JobFilter, *, before: str | None, limit: int) -> list[Job]:
        """At most `limit` jobs, newest first, that were made before the job `before`."""
        return queries.list_jobs(self._session, filters, before, limit)

    def request_cancel(self, job_id: str) -> Job:
        """Cancels a queued or paused job at once and asks the worker of a running one to; idempotent.

        Raises:
            JobNotFound: no such job.
            WrongState: it has succeeded or failed.
        """
        return lifecycle.request_cancel(self._session, job_id)

    def request_pause(self, job_id: str) -> Job:
        """Pauses a queued job at once and asks the worker of a running one to; idempotent.

        Raises:
            JobNotFound: no such job.
            WrongState: it has ended.
        """
        return lifecycle.request_pause(self._session, job_id)

    def resume(self, job_id: str) -> Job:
        """Queues a paused job again, where it stood; idempotent.

        Raises:
            JobNotFound: no such job.
            WrongState: it has ended.
        """
        return lifecycle.resume(self._session, job_id)

    def delete(self, job_id: str) -> list[str]:
        """Deletes a job that has ended, and all that belongs to it. Returns the store's keys of its files.

        Raises:
            JobNotFound: no such job.
            WrongState: it has not ended.
        """
        return lifecycle.delete(self._session, job_id)

    def events(self, job_id: str, after: int, limit: int) -> list[JobEvent]:
        """At most `limit` events with numbers above `after`, in order."""
        return queries.events(self._session, job_id, after, limit)

    def versions(self, job_ids: Collection[str]) -> dict[str, int]:
        """The present version of each of these jobs that exists."""
        return queries.versions(self._session, job_ids)

    def log(self, job_id: str, after: int, limit: int) -> list[LogLine]:
        """At most `limit` lines of the job's log with numbers above `after`, in order."""
        return logs.read(self._session, job_id, after, limit)

    def log_tail(self, job_id: str, count: int) -> list[LogLine]:
        """The last `count` lines of the job's log, in order."""
        return logs.tail(self._session, job_id, count)

    def counts(self) -> Counts:
        """How many jobs and workers there are."""
        return counts.take(self._session)

    def stalled(self) -> int:
        """How many running jobs show no progress."""
        return counts.stalled(self._session)

    def usage(self, owner: str) -> Usage:
        """What an owner has now."""
        return usage.usage(self._session, owner)

    def deliveries(self, job_id: str) -> Sequence[Delivery]:
        """The messages to webhooks about a job."""
        return deliveries.of_job(self._session, job_id)

    def metrics(self, job_id: str) -> list[Metric]:
        """The metrics of all epochs, by phase as they run, repeat and epoch."""
        return queries.metrics(self._session, job_id)

    def metrics_page(self, job_id: str, after: Metric | TrialMetric | None, limit: int) -> list[Metric | TrialMetric]:
        """At most `limit` of them, those that follow `after`; of a sweep by phase, trial, repeat and epoch."""
        return queries.metrics_page(self._session, job_id, after, limit)

    def artifacts(self, job_id: str, kind: str = "result") -> list[Artifact]:
        """The files of a job, by name."""
        return queries.artifacts(self._session, job_id, kind)

    def artifact(self, job_id: str, name: str, kind: str = "result") -> Artifact:
        """One file of a job; raises ArtifactNotFound."""
        return queries.artifact(self._session, job_id, name, kind)

    # One attempt, for the worker

    def claim(self, job_id: str, worker: str, lease_seconds: float) -> Job | None:
        """Takes a queued job for a new attempt with a new token; None when it is not queued (any more)."""
        return attempts.claim(self._session, job_id, worker, lease_seconds)

    def claim_next(
        self,
        worker: str,
        device: str,
        lease_seconds: float,
        quota_of: Callable[[str], Quota] = lambda owner: NO_QUOTA,
        beyond: Collection[str] = (),
    ) -> Job | None:
        """Takes the job whose turn it is, as `claim`; None when there is none for this device.

        Args:
            device: `cpu` or `cuda`; jobs that ask for it or for `auto` are taken.
            quota_of: of an owner, by name; who has as many running jobs as it may is passed over.
            beyond: ids of jobs that this worker cannot run, and leaves to others.
        """
        return queue.claim_next(self._session, worker, device, lease_seconds, quota_of, beyond)

    def renew(self, job_id: str, token: int, lease_seconds: float) -> Renewal:
        """Holds on to the job for another `lease_seconds`; the answer says what its user wishes."""
        return attempts.renew(self._session, job_id, token, lease_seconds)

    def record(self, job_id: str, token: int, events: Sequence[Event]) -> None:
        """Writes down what the engine reported, in order.

        `progress` only updates the job. An epoch and the end of a phase count once, however often they are run:
        the second time they leave no trace. Everything else becomes an event.
        """
        attempts.record(self._session, job_id, token, events)

    def note_stall(self, job_id: str, token: int, quiet_seconds: float, doing: str) -> None:
        """Notes that the trainer was last heard so long ago, and what it was doing then."""
        attempts.note_stall(self._session, job_id, token, quiet_seconds, doing)

    def note_progress(self, job_id: str, token: int) -> None:
        """Notes that a trainer that had stalled gets on."""
        attempts.note_progress(self._session, job_id, token)

    def write_log(self, job_id: str, token: int, lines: Sequence[str]) -> None:
        """Adds lines to the job's log; no more than `logs.MOST_LINES` in all."""
        logs.write(self._session, job_id, token, lines)

    def list_artifact(self, job_id: str, token: int, info: ArtifactInfo) -> str | None:
        """Lists a file that lies whole in the store, in place of one of the same name.

        Returns:
            The store's key of the file whose place it took, which nobody can reach any more; None without one.
        """
        return attempts.list_artifact(self._session, job_id, token, info)

    def list_checkpoint(self, job_id: str, token: int, info: ArtifactInfo, keep: int) -> list[str]:
        """Lists a checkpoint, and the newest `keep` alone with it.

        Returns:
            The store's keys of those that nobody can reach any more.
        """
        return attempts.list_checkpoint(self._session, job_id, token, info, keep)

    def finish(
        self, job_id: str, token: int, reason: EndReason, detail: str = "", artifacts: Sequence[ArtifactInfo] = ()
    ) -> list[str]:
        """Ends the job, lists its last files and forgets its checkpoints, unless a retry may go on from them.

        Returns:
            The store's keys of files that nobody can reach any more: the checkpoints.
        """
        return attempts.finish(self._session, job_id, token, reason, detail, artifacts)

    def hand_back(self, job_id: str, token: int, why: str) -> None:
        """Queues a running job again, as after a deploy; not counted as lost. Cancelled or paused if that was asked."""
        attempts.hand_back(self._session, job_id, token, why)

    def lose(self, job_id: str, token: int, max_lost: int, why: str, reason: EndReason = EndReason.WORKER_LOST) -> None:
        """Counts the attempt as lost, because its trainer died or had to be ended.

        It is queued again; cancelled or paused if that was asked; failed with `reason` when it is the `max_lost`-th
        time.
        """
        attempts.lose(self._session, job_id, token, max_lost, why, reason)

    # The lease reaper, and who is at work

    def expire_leases(self, max_lost: int) -> list[str]:
        """Takes running jobs from workers that let their lease end.

        They are queued again; cancelled or paused if that was asked; failed with `worker_lost` when it is the
        `max_lost`-th time. Returns the ids of all of them.
        """
        return leases.expire_leases(self._session, max_lost)

    def expire_waits(self, limit: int) -> list[str]:
        """Ends queued jobs that have waited longer than they may; the ids of at most `limit` of them."""
        return leases.expire_waits(self._session, limit)

    def beat(self, worker_id: str, device: str, job_id: str | None, lacks: str | None = None) -> None:
        """Notes that a worker is alive, which job it holds, and what it lacks before it takes another one."""
        leases.beat(self._session, worker_id, device, job_id, lacks)

    def workers_seen(self, within_seconds: float) -> list[Worker]:
        """Workers heard in the last `within_seconds`, by id."""
        return leases.workers_seen(self._session, within_seconds)

    def forget_silent_workers(self, after_seconds: float) -> None:
        """Forgets workers that were not heard for so long."""
        leases.forget_silent_workers(self._session, after_seconds)

    def forget_worker(self, worker_id: str) -> None:
        """Forgets a worker that leaves on purpose."""
        leases.forget_worker(self._session, worker_id)

    def purge_ended(self, keep_seconds: float | None, limit: int) -> tuple[list[str], list[str]]:
        """Deletes jobs that ended longer ago than they are kept; their ids, and the store's keys of their files.

        Args:
            keep_seconds: of jobs that name no time themselves; None: for ever.
        """
        return retention.purge_ended(self._session, keep_seconds, limit)

    def unnamed(self, keys: Collection[str]) -> set[str]:
        """Those of the store's `keys` that belong to no job."""
        return retention.unnamed(self._session, keys)

    # Messages to webhooks

    def take_deliveries(self, limit: int) -> list[Delivery]:
        """Messages to deliver now; what is not settled within a minute comes up again."""
        return deliveries.take_due(self._session, limit)

    def purge_deliveries(self, after_seconds: float, limit: int) -> int:
        """Deletes at most `limit` messages that were settled so long ago; how many."""
        return deliveries.purge_settled(self._session, after_seconds, limit)

    def settle_delivery(self, delivery_id: str, error: str | None, again_seconds: float | None) -> None:
        """A message was taken (no `error`), is to be tried again after `again_seconds`, or (None) is given up."""
        deliveries.settle(self._session, delivery_id, error, again_seconds)
