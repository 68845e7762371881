"""The job loop: takes jobs, one at a time, as long as there are any: when the broker rings, and every KD_LOOK_SECONDS.

A ring says only that there may be work. Whose turn it is, the database decides at the moment of the claim. So a ring
that is lost, doubled or about another job costs nothing, and an idle worker also finds work while the broker is away.

Who is at work holds on to a ring, so that the next ones go to those who are idle. Not for as long as the work takes:
RabbitMQ cuts off whoever has not acknowledged a message for half an hour, and Redis then delivers it again.
"""

from __future__ import annotations

import logging
import threading

from jobs.tables import Job
from worker.attempt.execute import execute
from worker.context import Services
from worker.transient_errors import AWAY, who

log = logging.getLogger(__name__)
_HOLD_SECONDS = 600.0


class JobLoop:
    """This worker's time at work: one thread that looks for jobs, and runs them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._look = threading.Event()
        self._looked = threading.Condition()
        self._looks = 0
        self._thread = threading.Thread(target=self._keep_looking, name="job-loop", daemon=True)

    def start(self) -> None:
        """Begins to look for work every `look_seconds`."""
        self._thread.start()

    def wake(self) -> None:
        """Looks for work now, or notices that this worker is to leave."""
        self._look.set()

    def stop(self) -> None:
        """Takes no more jobs; waits until the one in hand was handed back. Harmless when it never started."""
        self._services.leaving.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join()
        with self._looked:
            self._looked.notify_all()

    def answer(self, hold_seconds: float = _HOLD_SECONDS) -> None:
        """A ring: looks for work, and holds the ring until there is no more, or for that long."""
        with self._looked:
            before = self._looks
            self.wake()
            self._looked.wait_for(lambda: self._looks > before or not self._thread.is_alive(), hold_seconds)

    def work(self) -> None:
        """Runs jobs until none is left for this worker. Nothing that a job does ends the thread that runs it."""
        while not self._services.leaving.is_set():
            try:
                job = self._claim()
                if job is None:
                    return
                execute(job, self._services)
            except AWAY as error:
                log.warning("%s; looking for work again later", who(error))
                return
            except Exception:
                # its lease ends, and it is tried again or given up as any lost attempt
                log.exception("an attempt ended in a way that nobody thought of")
                return

    def _keep_looking(self) -> None:
        while not self._services.leaving.is_set():
            self._look.clear()
            self.work()
            with self._looked:
                self._looks += 1
                self._looked.notify_all()
            self._look.wait(self._services.settings.look_seconds)

    def _claim(self) -> Job | None:
        services, settings = self._services, self._services.settings
        if services.room.look() is not None:
            return None  # it would fail, and the next one too
        with services.database.write() as repository:
            return repository.claim_next(
                services.worker_id, services.device, settings.lease_seconds, settings.quota_of, services.beyond
            )
