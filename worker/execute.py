"""What a worker does with a job: claim -> run -> publish -> finish. The database decides everything; this obeys.

The trainer runs in a child process. This side copies its events to the database, stores its checkpoints, passes on a
wish to cancel, and ends it at once when the lease is lost. Whatever happens, no trainer is left behind.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from jobs.artifacts import ArtifactInfo, ArtifactStore
from jobs.db import Database
from jobs.errors import LeaseLost
from jobs.settings import Settings
from jobs.states import EndReason
from kd_engine.errors import EngineError, Interrupted
from kd_engine.events import CheckpointSaved, Event, Finished
from worker.attempt import Attempt
from worker.lease import Lease
from worker.trainer_process import TrainerProcess

log = logging.getLogger(__name__)
T = TypeVar("T")
_POLL_SECONDS = 0.1
_RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Services:
    """What a worker works with.

    Attributes:
        leaving: set when this worker is told to stop; its job is then handed back.
        in_hand: the ids of the jobs that this worker holds (one at most, as long as it has one thread for them).
    """

    settings: Settings
    database: Database
    store: ArtifactStore
    worker_id: str
    leaving: threading.Event = field(default_factory=threading.Event)
    in_hand: set[str] = field(default_factory=set)


def execute(job_id: str, services: Services) -> None:
    """Runs one attempt of the job, if it is this worker's to run; who loses the claim drops the message."""
    settings, database = services.settings, services.database
    with database.write() as repository:
        job = repository.claim(job_id, services.worker_id, settings.lease_seconds)
    if job is None:
        log.info("job %s: not queued (any more); the message is dropped", job_id)
        return
    log.info("job %s: attempt %d", job_id, job.attempt)
    attempt = Attempt(job, settings, database, services.store)
    services.in_hand.add(job_id)
    with Lease(database, settings, job_id, job.token) as lease:
        try:
            _Supervision(attempt, lease, services).run()
        except LeaseLost:
            log.warning("job %s: attempt %d is over, another one has the job", job_id, job.attempt)
        finally:
            services.in_hand.discard(job_id)
            attempt.clear_away()


class _Supervision:
    """Watches over one attempt's trainer from its start to the job's end."""

    def __init__(self, attempt: Attempt, lease: Lease, services: Services) -> None:
        self._attempt, self._lease, self._services = attempt, lease, services
        self._job_id, self._token = attempt.job_id, attempt.token
        self._unrecorded: list[Event] = []
        self._finished: Finished | None = None
        self._retry_at = 0.0

    def run(self) -> None:
        try:
            self._attempt.prepare()
            outcome = self._train()
        except EngineError as error:  # this side's own: a teacher that is gone, no room for a checkpoint
            self._finished = Finished(reason=error.code, detail=str(error))
            outcome = "was not needed"
        if self._unrecorded:
            self._persist(self._record)
        self._settle(outcome)

    def _train(self) -> str:
        """Runs the trainer to its end; says how it ended."""
        trainer = TrainerProcess(self._attempt.folder, self._services.settings.trainer_threads)
        try:
            with self._lease.watchdog(trainer.kill):
                while trainer.running:
                    self._look_after(trainer)
                    time.sleep(_POLL_SECONDS)
            self._take(trainer.events())
        finally:
            trainer.close()
        return trainer.outcome

    def _look_after(self, trainer: TrainerProcess) -> None:
        if self._lease.lost:
            raise LeaseLost(self._job_id, self._token)
        if self._asked_to_stop():
            trainer.ask_to_stop(self._services.settings.cancel_grace_seconds)
        trainer.check()
        self._take(trainer.events())

    def _asked_to_stop(self) -> bool:
        return self._lease.cancel_requested or self._services.leaving.is_set()

    def _take(self, events: Sequence[Event]) -> None:
        """Records events; while the database is away they wait, and the trainer goes on."""
        for event in events:
            if isinstance(event, Finished):
                self._finished = event
            else:
                self._unrecorded.append(event)
        if self._unrecorded and time.monotonic() >= self._retry_at:
            try:
                self._record()
            except SQLAlchemyError as error:
                log.warning("job %s: the database is away (%s)", self._job_id, type(error).__name__)
                self._retry_at = time.monotonic() + _RETRY_SECONDS

    def _record(self) -> None:
        """Stores and lists the newest checkpoint before it records the event that tells of it."""
        if any(isinstance(event, CheckpointSaved) for event in self._unrecorded):
            self._attempt.list_checkpoint()
        with self._services.database.write() as repository:
            repository.record(self._job_id, self._token, self._unrecorded)
        self._unrecorded = []

    def _settle(self, outcome: str) -> None:
        """Turns how the trainer ended into how the job goes on."""
        finished = self._finished
        if finished is not None and finished.reason == EndReason.COMPLETED:
            self._publish(finished)
        elif finished is not None and finished.reason != Interrupted.code:
            self._finish(EndReason(finished.reason), finished.detail)
        elif self._lease.cancel_requested:
            self._finish(EndReason.CANCELLED, f"the trainer {outcome}")
        elif self._services.leaving.is_set():
            self._hand_back("stopped as asked" if finished else f"the trainer {outcome}")
        else:
            self._lose(f"the trainer {outcome} in attempt {self._attempt.job.attempt}")

    def _publish(self, finished: Finished) -> None:
        try:
            infos = self._attempt.store_results(finished.artifacts)
        except EngineError as error:
            self._finish(EndReason(error.code), str(error))
            return
        try:
            self._finish(EndReason.COMPLETED, "", infos)
        except LeaseLost:
            self._attempt.drop([info.key for info in infos])
            raise

    def _finish(self, reason: EndReason, detail: str, infos: Sequence[ArtifactInfo] = ()) -> None:
        def end() -> list[str]:
            with self._services.database.write() as repository:
                return repository.finish(self._job_id, self._token, reason, detail, infos)

        self._attempt.drop(self._persist(end))

    def _hand_back(self, why: str) -> None:
        """Queued again for another worker; cancelled if somebody wished it just now (the repository knows)."""

        def end() -> None:
            with self._services.database.write() as repository:
                repository.hand_back(self._job_id, self._token, f"worker '{self._services.worker_id}': {why}")

        self._persist(end)

    def _lose(self, why: str) -> None:
        def end() -> None:
            with self._services.database.write() as repository:
                repository.lose(self._job_id, self._token, self._services.settings.max_lost_attempts, why)

        self._persist(end)

    def _persist(self, write: Callable[[], T]) -> T:
        """Does a write that must not be given up, until the database takes it or the lease is gone."""
        while True:
            try:
                return write()
            except SQLAlchemyError as error:
                if self._lease.lost:
                    raise LeaseLost(self._job_id, self._token) from error
                log.warning("job %s: the database is away (%s)", self._job_id, type(error).__name__)
                time.sleep(_RETRY_SECONDS)
