"""The context of the API, a dependency of its routes: settings, database, artifact store, limits, spans."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Request

from api.dependencies.change_notifier import ChangeNotifier
from api.dependencies.fair_share import FairShare
from api.dependencies.wakeup_producer import WakeupProducer
from jobs.artifacts import ArtifactStore
from jobs.database import Database
from jobs.errors import StoreUnavailable
from jobs.settings import Settings
from jobs.tables import Job
from jobs.telemetry import logs
from jobs.telemetry.spans import JOB_ID, Spans, Unsent, note

_FILE_THREADS = 16
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Context:
    """The parts of the running service.

    Attributes:
        file_threads: what reads files that are sent, apart from the threads that answer everything else: these a slow
            store must not take.
    """

    settings: Settings
    database: Database
    store: ArtifactStore
    wakeup_producer: WakeupProducer
    change_notifier: ChangeNotifier
    uploads: FairShare
    downloads: FairShare
    spans: Spans = field(default_factory=Unsent)
    file_threads: CapacityLimiter = field(default_factory=partial(CapacityLimiter, _FILE_THREADS))

    def made(self, job: Job) -> None:
        """Tells the log and the workers of a job that was just recorded."""
        note(JOB_ID, job.id)
        with logs.bound(job_id=job.id):
            log.info("job %s: recorded for %s", job.id, job.owner)
        self.wakeup_producer.wake(job.id, job.device)

    def remove(self, keys: Iterable[str]) -> None:
        """Removes stored files that nothing names any more; one that stays costs only its room."""
        for key in keys:
            try:
                self.store.delete(key)
            except (OSError, StoreUnavailable):
                log.warning("could not remove %s from the artifact store", key, exc_info=True)


async def _context(request: Request) -> Context:
    # async although nothing waits: FastAPI sends a plain function to a thread, which costs more than the look-up
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(_context)]
