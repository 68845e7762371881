"""Lease reaper: takes back jobs whose lease has ended, ends those that waited too long, says that this worker lives.

Safe to run in several places at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from jobs.telemetry.logs import bound
from worker.context import Services

log = logging.getLogger(__name__)
_AT_ONCE = 200  # one transaction, for which all other writers wait; the next time takes the rest


class LeaseReaper:
    """
    Args:
        found: called when there is work again.
    """

    def __init__(self, services: Services, found: Callable[[], None]) -> None:
        self._services, self._found = services, found

    def reap(self) -> None:
        """Puts the jobs whose worker let its lease end back into the queue, and ends those that waited too long."""
        settings, database = self._services.settings, self._services.database
        with database.write() as repository:
            lost = repository.expire_leases(settings.max_lost_attempts)
        for job_id in lost:
            with bound(job_id=job_id):
                log.warning("job %s: taken back, its lease had ended", job_id)
        if lost:
            self._found()
        with database.write() as repository:
            overdue = repository.expire_waits(_AT_ONCE)
        for job_id in overdue:
            with bound(job_id=job_id):
                log.info("job %s: ended, it had waited for as long as it may", job_id)

    def beat(self) -> None:
        """Says that this worker is alive, on which device, with which job, and what it lacks to take one."""
        services = self._services
        held = next(iter(tuple(services.in_hand)), None)
        with services.database.write() as repository:
            repository.beat(services.worker_id, services.device, held, services.room.lacks)

    def forget_if_possible(self) -> None:
        """Takes this worker off the list; with the database away it falls off by itself."""
        try:
            with self._services.database.write() as repository:
                repository.forget_worker(self._services.worker_id)
        except SQLAlchemyError as error:
            log.warning("the database is away (%s)", type(error).__name__)
