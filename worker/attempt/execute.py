"""What a worker does with a job that it has claimed: run -> publish -> finish. The database decides; this obeys.

    job_loop.py         claims jobs, one after the other, and runs each here
    lease.py            holds the claim, and hears what the job's user wishes
    files.py            the attempt's files: what it starts from, what it stores
    supervisor.py       watches the trainer: events, checkpoints, log, wishes, time
    trainer_process.py  the trainer's process, as its supervisor sees it
    trainer_main.py     the same, from the inside: it runs the engine
    settlement.py       how the attempt ends: published, failed, handed back, lost

Whatever happens, no trainer is left behind.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from jobs.errors import LeaseLost
from jobs.tables import Job
from jobs.telemetry import logs
from jobs.telemetry.spans import JOB_ID, Attribute, Span, spanning
from worker.attempt.files import Attempt
from worker.attempt.lease import Lease
from worker.attempt.settlement import Settlement
from worker.attempt.supervisor import Supervisor
from worker.context import Services

log = logging.getLogger(__name__)
_END = "distillery.end"


def execute(job: Job, services: Services) -> None:
    """Runs the attempt of the job that was just claimed, to its end."""
    with _watched(job, services) as span:
        log.info("job %s: attempt %d", job.id, job.attempt)
        attempt = Attempt(job, services)
        services.in_hand.add(job.id)
        with Lease(services.database, services.settings, job.id, job.token) as lease:
            settlement = Settlement(attempt, lease, services)
            try:
                end = settlement.settle(Supervisor(attempt, lease, settlement, services).run())
                span.note(_END, end)
                log.info("job %s: attempt %d is over: %s", job.id, job.attempt, end)
            except LeaseLost:
                services.metrics.lost_lease()
                span.note(_END, "lease_lost")
                log.warning("job %s: attempt %d is over, another one has the job", job.id, job.attempt)
            finally:
                services.in_hand.discard(job.id)
                attempt.clear_away()


@contextmanager
def _watched(job: Job, services: Services) -> Iterator[Span]:
    """The attempt as those see it who run the service: a span, fields of log lines, metrics."""
    about: dict[str, Attribute] = {
        JOB_ID: job.id,
        "distillery.attempt": job.attempt,
        "distillery.worker": services.worker_id,
    }
    span = services.spans.begin("attempt", job.trace, "consumer", about)
    services.metrics.began()
    try:
        fields = {"job_id": job.id, "attempt": job.attempt, "token": job.token, "worker": services.worker_id}
        with logs.bound(**fields), spanning(span):
            yield span
    finally:
        services.metrics.ended()
