"""What a worker does with a job that it has claimed: run -> publish -> finish. The database decides; this obeys.

    shift.py            claims jobs, one after the other, and runs each here
    lease.py            holds the claim, and hears what the job's user wishes
    attempt.py          the attempt's files: what it starts from, what it stores
    supervision.py      watches the trainer: events, checkpoints, log, wishes, time
    trainer_process.py  the trainer's process, as its supervisor sees it
    process.py          the same, from the inside: it runs the engine
    settlement.py       how the attempt ends: published, failed, handed back, lost

Whatever happens, no trainer is left behind.
"""

from __future__ import annotations

import logging

from jobs.errors import LeaseLost
from jobs.models import Job
from worker.attempt import Attempt
from worker.lease import Lease
from worker.services import Services
from worker.settlement import Settlement
from worker.supervision import Supervision

log = logging.getLogger(__name__)


def execute(job: Job, services: Services) -> None:
    """Runs the attempt of the job that was just claimed, to its end."""
    log.info("job %s: attempt %d", job.id, job.attempt)
    attempt = Attempt(job, services)
    services.in_hand.add(job.id)
    with Lease(services.database, services.settings, job.id, job.token) as lease:
        settlement = Settlement(attempt, lease, services)
        try:
            settlement.settle(Supervision(attempt, lease, settlement, services).run())
        except LeaseLost:
            log.warning("job %s: attempt %d is over, another one has the job", job.id, job.attempt)
        finally:
            services.in_hand.discard(job.id)
            attempt.clear_away()
