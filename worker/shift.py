"""Takes jobs, one at a time, as long as there are any: when the broker rings, and from time to time by itself.

A ring says only that there may be work. Whose turn it is, the database decides at the moment of the claim. So a ring
that is lost, doubled or about another job costs nothing, and an idle worker also finds work while the broker is away.
"""

from __future__ import annotations

import logging
import threading

from jobs.models import Job
from worker.away import AWAY, who
from worker.execute import execute
from worker.services import Services

log = logging.getLogger(__name__)


class Shift:
    """This worker's time at work."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._turn = threading.Lock()
        self._look = threading.Event()
        self._thread = threading.Thread(target=self._look_by_itself, name="shift", daemon=True)

    def start(self) -> None:
        """Begins to look for work every `sweep_seconds`."""
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
        with self._turn:
            return

    def answer(self) -> None:
        """A ring: works until there is nothing to do, after what this worker is at already."""
        with self._turn:
            self._work()

    def _look_by_itself(self) -> None:
        while not self._services.leaving.is_set():
            self._look.clear()
            # who is at work already goes on until there is none
            if self._turn.acquire(blocking=False):
                try:
                    self._work()
                finally:
                    self._turn.release()
            self._look.wait(self._services.settings.sweep_seconds)

    def _work(self) -> None:
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

    def _claim(self) -> Job | None:
        services, settings = self._services, self._services.settings
        with services.database.write() as repository:
            return repository.claim_next(services.worker_id, services.device, settings.lease_seconds, settings.quota_of)
