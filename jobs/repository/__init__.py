"""All SQL of the service. A repository works within one transaction of its caller and never commits.

Each edge between states is one guarded UPDATE that names the state it starts from; each write of an attempt also names
the attempt's token. No row changed means that somebody else was first. Times come from the database's clock.

    edges.py      the guarded update that all changes of a job go through, and its events
    lifecycle.py  creation under an idempotency key, cancelling, deletion
    queries.py    jobs, lists, events, metrics, artifacts
    attempts.py   what a worker does to a job that it holds
    sweeps.py     lost and unclaimed jobs; who is at work
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from jobs.artifacts import ArtifactInfo
from jobs.models import Artifact, Job, JobEvent, Metric, Worker
from jobs.repository import attempts, lifecycle, queries, sweeps
from jobs.repository.attempts import Renewal
from jobs.repository.queries import JobFilter
from jobs.states import EndReason
from kd_engine.events import Event
from kd_engine.spec import AnySpec

__all__ = ["JobFilter", "Renewal", "Repository"]


class Repository:
    """The one way to the tables.

    Raises (by every method that is given a `token`):
        LeaseLost: the job is not running under that token; nothing was changed.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    # Jobs, for the API

    def create(self, spec: AnySpec, *, idempotency: tuple[str, str] | None = None) -> Job:
        """A new queued job with its first event.

        Args:
            spec: resolved.
            idempotency: the key (at most 255 characters) and the sha256 of the body. When the key came before with the
                same body, the job made then is returned; also when that happens at this very moment in another process.

        Raises:
            KeyReused: the key came before with another body.
        """
        return lifecycle.create(self._session, spec, idempotency)

    def find_by_key(self, key: str, body_sha256: str) -> Job | None:
        """The job that was made with an idempotency key; raises KeyReused when the body was another one."""
        return lifecycle.find_by_key(self._session, key, body_sha256)

    def get(self, job_id: str) -> Job:
        """The job as it is now; raises JobNotFound."""
        return queries.get(self._session, job_id)

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

    def metrics(self, job_id: str) -> list[Metric]:
        """The metrics of all epochs, by phase as they run, repeat and epoch."""
        return queries.metrics(self._session, job_id)

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

    def renew(self, job_id: str, token: int, lease_seconds: float) -> Renewal:
        """Holds on to the job for another `lease_seconds`; the answer says what its user wishes."""
        return attempts.renew(self._session, job_id, token, lease_seconds)

    def record(self, job_id: str, token: int, events: Sequence[Event]) -> None:
        """Writes down what the engine reported, in order.

        `progress` only updates the job. An epoch and the end of a phase count once, however often they are run:
        the second time they leave no trace. Everything else becomes an event.
        """
        attempts.record(self._session, job_id, token, events)

    def list_artifact(self, job_id: str, token: int, info: ArtifactInfo) -> str | None:
        """Lists a file that lies whole in the store, in place of one of the same name.

        Returns:
            The store's key of the file whose place it took, which nobody can reach any more; None without one.
        """
        return attempts.list_artifact(self._session, job_id, token, info)

    def finish(
        self, job_id: str, token: int, reason: EndReason, detail: str = "", artifacts: Sequence[ArtifactInfo] = ()
    ) -> list[str]:
        """Ends the job, lists its last files and forgets its checkpoints.

        Returns:
            The store's keys of files that nobody can reach any more: the checkpoints.
        """
        return attempts.finish(self._session, job_id, token, reason, detail, artifacts)

    def hand_back(self, job_id: str, token: int, why: str) -> None:
        """Queues a running job again, as after a deploy; not counted as lost. Cancelled instead if that was asked."""
        attempts.hand_back(self._session, job_id, token, why)

    def lose(self, job_id: str, token: int, max_lost: int, why: str) -> None:
        """Counts the attempt as lost, because its trainer died.

        It is queued again; cancelled if that was asked; failed with `worker_lost` when it is the `max_lost`-th time.
        """
        attempts.lose(self._session, job_id, token, max_lost, why)

    # The sweeper, and who is at work

    def expire_leases(self, max_lost: int) -> list[str]:
        """Takes running jobs from workers that let their lease end.

        They are queued again; cancelled if that was asked; failed with `worker_lost` when it is the `max_lost`-th time.
        Returns the ids of all of them.
        """
        return sweeps.expire_leases(self._session, max_lost)

    def due_for_ringing(self, after_seconds: float, limit: int) -> list[str]:
        """Queued jobs that were not rung in the last `after_seconds`, least recently rung first; marks them as rung.

        Two sweepers at the same time never get the same job.
        """
        return sweeps.due_for_ringing(self._session, after_seconds, limit)

    def mark_rung(self, *job_ids: str) -> None:
        """Notes that the queue was rung for these jobs just now."""
        sweeps.mark_rung(self._session, job_ids)

    def beat(self, worker_id: str, device: str, job_id: str | None) -> None:
        """Notes that a worker is alive, and which job it holds."""
        sweeps.beat(self._session, worker_id, device, job_id)

    def workers_seen(self, within_seconds: float) -> list[Worker]:
        """Workers heard in the last `within_seconds`, by id."""
        return sweeps.workers_seen(self._session, within_seconds)

    def forget_worker(self, worker_id: str) -> None:
        """Forgets a worker that leaves on purpose."""
        sweeps.forget_worker(self._session, worker_id)
