"""Holds a job's lease from a thread of its own, and hears in each renewal whether the job is to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from jobs.database import Database
from jobs.errors import JobError, LeaseLost
from jobs.settings import Settings
from jobs.telemetry.logs import carried

log = logging.getLogger(__name__)
_WATCH_SECONDS = 0.5
# A wish is heard in a renewal; between two of them it is read, which costs the database less than a write. With the
# grace of 10 s that a trainer has to stop, it is gone within 15 s.
_LISTEN_SECONDS = 2.0


class Lease:
    """A context manager that renews the lease until it is left.

    Attributes:
        lost: another attempt has the job, or the database was out of reach for so long that one may soon have it.
        cancel_requested, pause_requested: as the last renewal said.
    """

    def __init__(self, database: Database, settings: Settings, job_id: str, token: int) -> None:
        self._database, self._settings = database, settings
        self._job_id, self._token = job_id, token
        self._done = threading.Event()
        self._thread = threading.Thread(target=carried(self._keep), name=f"lease-{job_id}", daemon=True)
        self._renewed = time.monotonic()
        self.cancel_requested = False
        self.pause_requested = False
        self._taken = False
        self._ending = False

    @property
    def lost(self) -> bool:
        return self._taken or time.monotonic() - self._renewed > self._settings.stop_after_seconds

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Around the write that ends the attempt; nothing is renewed once it is done.

        A renewal that comes in between finds the job in nobody's hands: that is the end, and no other attempt. If there
        is one, the write itself hears of it.
        """
        self._ending = True
        try:
            yield
        except BaseException:
            self._ending = False
            raise
        self._done.set()

    @contextmanager
    def watchdog(self, stop: Callable[[], object]) -> Iterator[None]:
        """Calls `stop` once the lease is lost, from a thread that asks the database nothing.

        A database that is frozen, not down, holds on to whoever talks to it: neither the thread that renews nor the one
        that records can then be trusted to notice that the lease is over.
        """
        done = threading.Event()

        def watch() -> None:
            while not done.wait(_WATCH_SECONDS):
                if self.lost:
                    stop()
                    return

        thread = threading.Thread(target=carried(watch), name=f"watchdog-{self._job_id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _keep(self) -> None:
        renew_at = time.monotonic() + self._settings.heartbeat_seconds
        while not self._done.wait(min(_LISTEN_SECONDS, max(renew_at - time.monotonic(), 0))) and not self._taken:
            asked = time.monotonic()  # the lease counts from before the question, not from the answer
            try:
                if asked < renew_at:
                    self._listen()
                    continue
                renew_at = asked + self._settings.heartbeat_seconds
                with self._database.write() as repository:
                    renewal = repository.renew(self._job_id, self._token, self._settings.lease_seconds)
            except LeaseLost:
                if self._ending:
                    continue
                log.warning("job %s: the lease was lost to another attempt", self._job_id)
                self._taken = True
            except SQLAlchemyError as error:
                log.warning("job %s: the lease could not be renewed: %s", self._job_id, type(error).__name__)
            else:
                self._renewed = asked
                self.cancel_requested, self.pause_requested = renewal.cancel_requested, renewal.pause_requested

    def _listen(self) -> None:
        try:
            with self._database.read() as repository:
                job = repository.get(self._job_id)
        except (JobError, SQLAlchemyError):
            return  # the next renewal says what is the matter
        if job.token == self._token:
            self.cancel_requested, self.pause_requested = job.cancel_requested, job.pause_requested
