"""The api's only celery: tells a worker that a job waits. A doorbell, never the truth.

Ringing costs the caller nothing: a thread of its own publishes, and a broker that is down, frozen or forgetful means
only that the sweeper of a worker rings again later.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from celery import Celery
from kombu.exceptions import OperationalError

from jobs.bell import QUEUE, TASK

log = logging.getLogger(__name__)

_MOST_WAITING = 10_000
# That a job was rung is noted once things are quiet, for many jobs at once: each note is a transaction, for which
# those who create jobs would have to wait. It must not take as long as KD_RING_AFTER_SECONDS.
_QUIET_SECONDS = 0.1
_MOST_NOTED = 100


def make_producer(broker_url: str, timeout_seconds: float = 0.5) -> Celery:
    """A Celery application that only publishes: JSON, no results, and no step that may wait longer than the timeout."""
    producer = Celery("distillery-api", broker=broker_url, set_as_current=False)
    producer.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_publish_retry=False,
        broker_connection_retry=False,
        broker_connection_retry_on_startup=False,
        broker_connection_timeout=timeout_seconds,
        broker_transport_options={
            "socket_timeout": timeout_seconds,
            "socket_connect_timeout": timeout_seconds,
            "max_retries": 0,
        },
    )
    return producer


class Doorbell:
    """Publishes job ids in the background, in the order in which they were rung.

    Args:
        rung: told, in the background, which ids went out.
    """

    def __init__(self, producer: Celery, rung: Callable[[Sequence[str]], None]) -> None:
        self._producer = producer
        self._rung = rung
        self._waiting: deque[str] = deque(maxlen=_MOST_WAITING)
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
        self._thread.start()

    def ring(self, job_id: str) -> None:
        """Returns at once."""
        with self._wake:
            self._waiting.append(job_id)
            self._wake.notify()

    def close(self, wait_seconds: float = 2.0) -> None:
        """Publishes what still waits, for as long as that takes or `wait_seconds`."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(wait_seconds)

    def ping(self) -> None:
        """Raises when the broker does not answer within the timeout."""
        with self._producer.connection_for_write() as connection:
            connection.default_channel  # noqa: B018 - opening the channel is what asks the broker

    def _run(self) -> None:
        published: list[str] = []
        while (batch := self._take(_QUIET_SECONDS if published else None)) or published:
            published += self._publish(batch)
            if not batch or len(published) >= _MOST_NOTED:
                self._tell(published)
                published = []

    def _take(self, seconds: float | None) -> list[str]:
        """What was rung; nothing when that took longer than `seconds`, or when the end has come."""
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._closing, seconds)
            batch = list(self._waiting)
            self._waiting.clear()
            return batch

    def _publish(self, batch: list[str]) -> list[str]:
        """The ids that went out. After one failure the rest is left to the sweeper: no backlog for a dead broker."""
        for position, job_id in enumerate(batch):
            try:
                self._producer.send_task(TASK, args=[job_id], queue=QUEUE, ignore_result=True, retry=False)
            except (OperationalError, OSError) as error:
                log.warning(
                    "the broker cannot be reached (%s); %d jobs from %s on are rung later by a worker's sweeper",
                    error, len(batch) - position, job_id,
                )  # fmt: skip
                return batch[:position]
        return batch

    def _tell(self, published: Sequence[str]) -> None:
        try:
            self._rung(published)
        except Exception:
            # the jobs are recorded and were rung; at worst they are rung twice, which is harmless
            log.warning("could not note that %d jobs were rung", len(published), exc_info=True)
