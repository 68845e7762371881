"""Looks for jobs that were lost or that nobody came for, and says that this worker is alive. One thread a worker.

Safe to run in several places at once: each step is a guarded update in the database. Only an idle worker rings for
queued jobs: while all are busy, more rings would only pile up messages that say nothing new.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from worker.execute import Services

log = logging.getLogger(__name__)
_MOST_RINGS = 100


class Sweeper:
    """The worker's own housekeeping.

    Args:
        ring: publishes a job's id; may raise, the job is then rung again later.
    """

    def __init__(self, services: Services, ring: Callable[[str], None]) -> None:
        self._services, self._ring = services, ring
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._beat_at = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and takes this worker off the list; harmless when it never started."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()
            self._guarded(self._forget)

    def sweep(self) -> None:
        """One round: requeue what was lost, ring for what waits."""
        settings, database = self._services.settings, self._services.database
        with database.write() as repository:
            lost = repository.expire_leases(settings.max_lost_attempts)
        if lost:
            log.warning("took back %d jobs whose lease had ended: %s", len(lost), ", ".join(lost))
        if self._services.in_hand or self._services.leaving.is_set():
            return
        with database.write() as repository:
            waiting = repository.due_for_ringing(settings.ring_after_seconds, _MOST_RINGS)
        for job_id in waiting:
            self._ring(job_id)

    def beat(self) -> None:
        """Says that this worker is alive, at most once every `heartbeat_seconds`."""
        if time.monotonic() < self._beat_at:
            return
        held = next(iter(self._services.in_hand), None)
        with self._services.database.write() as repository:
            repository.beat(self._services.worker_id, self._services.settings.device, held)
        self._beat_at = time.monotonic() + self._services.settings.heartbeat_seconds

    def _run(self) -> None:
        while not self._done.is_set():
            self._guarded(self.beat)
            self._guarded(self.sweep)
            self._done.wait(self._services.settings.sweep_seconds)

    def _forget(self) -> None:
        with self._services.database.write() as repository:
            repository.forget_worker(self._services.worker_id)

    def _guarded(self, step: Callable[[], None]) -> None:
        """Runs a step; neither a database nor a broker that is away may end the thread."""
        try:
            step()
        except SQLAlchemyError as error:
            log.warning("the database is away (%s); trying again", type(error).__name__)
        except Exception as error:  # kombu wraps each transport's errors in its own way
            log.warning("the broker is away (%s: %s); trying again", type(error).__name__, error)
