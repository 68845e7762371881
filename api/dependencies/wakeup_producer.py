"""Wakes the workers: the api's only celery. A wake-up says that a job waits; the database alone says which.

Ringing costs the caller nothing: a thread of its own publishes, and a broker that is down, frozen or forgetful means
only that an idle worker finds the job a few seconds later, when it looks by itself.
"""

from __future__ import annotations

import logging
import threading
from collections import deque

from celery import Celery
from kombu.exceptions import OperationalError

from jobs.broker import publishing
from jobs.wakeup import TASK, queue_for

log = logging.getLogger(__name__)

_MOST_WAITING = 10_000


def make_producer(broker_url: str, timeout_seconds: float = 0.5) -> Celery:
    """A Celery application that only publishes: JSON, no results, and no step that may wait longer than the timeout."""
    producer = Celery("distillery-api", set_as_current=False)
    producer.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_publish_retry=False,
        **publishing(broker_url, timeout_seconds),
    )
    return producer


class WakeupProducer:
    """Publishes job ids in the background, in the order in which they were rung."""

    def __init__(self, producer: Celery) -> None:
        self._producer = producer
        connection = producer.connection_for_write()  # not opened: it knows what its kind of broker raises
        self._errors = (OperationalError, OSError, *connection.connection_errors, *connection.channel_errors)
        self._waiting: deque[tuple[str, str]] = deque(maxlen=_MOST_WAITING)  # a job's id and its device
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
        self._thread.start()

    def wake(self, job_id: str, device: str = "auto") -> None:
        """Tells the workers that have what the job asks for (`auto`, `cpu` or `cuda`); returns at once."""
        with self._wake:
            self._waiting.append((job_id, device))
            self._wake.notify()

    def close(self, wait_seconds: float = 2.0) -> None:
        """Publishes what still waits, for as long as that takes or `wait_seconds`."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(wait_seconds)

    def ping(self) -> None:
        """Raises kombu's OperationalError when the broker does not answer within the timeout, or refuses us."""
        try:
            with self._producer.connection_for_write() as connection:
                connection.default_channel  # noqa: B018 - opening the channel is what asks the broker
        except self._errors as error:
            raise OperationalError(str(error)) from error

    def _run(self) -> None:
        while batch := self._take():
            self._publish(batch)

    def _take(self) -> list[tuple[str, str]]:
        """What was rung; nothing when the end has come."""
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._closing)
            batch = list(self._waiting)
            self._waiting.clear()
            return batch

    def _publish(self, batch: list[tuple[str, str]]) -> None:
        """After one failure the rest is left to idle workers: no backlog for a dead broker."""
        for position, (job_id, device) in enumerate(batch):
            try:
                self._send(job_id, device)
            except self._errors as error:
                log.warning(
                    "the broker cannot be reached (%s); %d jobs from %s on wait until an idle worker looks by itself",
                    error, len(batch) - position, job_id,
                )  # fmt: skip
                return

    def _send(self, job_id: str, device: str) -> None:
        """Once more after a failure: the connection may have died unnoticed with a broker that is back since then."""
        try:
            self._send_once(job_id, device)
        except self._errors:
            self._send_once(job_id, device)

    def _send_once(self, job_id: str, device: str) -> None:
        self._producer.send_task(TASK, args=[job_id], queue=queue_for(device), ignore_result=True, retry=False)
