"""Webhook sender: delivers messages, signed after the Standard Webhooks specification, until they are taken.

A message waits in the database. It is taken for a minute; whoever delivers it and dies has it delivered again, under
the same id: at least once. The repository says whose turn it is, so that those who never answer hold up nobody else.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from jobs.tables import Delivery
from jobs.telemetry.logs import bound
from worker.context import Services
from worker.periodic.name_lookups import Lookups
from worker.periodic.runner import Step
from worker.periodic.webhook_http import NotDelivered, post

log = logging.getLogger(__name__)
EVERY_SECONDS = 1.0
_AT_ONCE = 16  # room for four owners whose webhooks never answer
_TIMEOUT_SECONDS = 10.0
_GONE = 410
# Between one try and the next; ten tries in all, within some 17 hours.
WAITS = (5.0, 30.0, 120.0, 600.0, 3600.0, 10_800.0, 10_800.0, 10_800.0, 21_600.0)


class WebhookSender:
    """
    Args:
        secret: `whsec_` and base64, which the receiver knows too.
        waits: seconds between the tries; a message is given up when they are used up.
    """

    def __init__(self, services: Services, secret: str, waits: Sequence[float] = WAITS) -> None:
        self._services, self._signer, self._waits = services, Webhook(secret), waits
        self._lookups = Lookups()
        self._lock, self._under_way, self._freed = threading.Lock(), 0, threading.Event()

    def step(self) -> Step:
        return Step(self.deliver_due, EVERY_SECONDS)

    def deliver_due(self) -> None:
        """Delivers what is due, each in a thread of its own, until nothing is and nothing is under way."""
        while not self._services.leaving.is_set():
            self._freed.clear()
            due = self._taken()
            for message in due:
                self._begin(message)
            if not due and not self._under_way:
                return
            self._freed.wait(EVERY_SECONDS)  # something may become due meanwhile

    def _taken(self) -> list[Delivery]:
        free = _AT_ONCE - self._under_way
        if not free:
            return []
        with self._services.database.write() as repository:
            return repository.take_deliveries(free)

    def _begin(self, message: Delivery) -> None:
        with self._lock:
            self._under_way += 1
        try:
            # a daemon: a worker that is told to stop does not wait for it
            threading.Thread(target=self._deliver, args=(message,), name="delivery", daemon=True).start()
        except RuntimeError:  # no more threads
            self._end()
            raise

    def _end(self) -> None:
        with self._lock:
            self._under_way -= 1
        self._freed.set()

    def _deliver(self, message: Delivery) -> None:
        with bound(job_id=message.job_id):
            try:
                error, again = self._try(message)
                with self._services.database.write() as repository:
                    repository.settle_delivery(message.id, error, again)
            except Exception:
                log.exception("message %s: it comes up again in a minute", message.id)
        self._end()

    def _try(self, message: Delivery) -> tuple[str | None, float | None]:
        """What was wrong, if anything, and in how many seconds to try again, if at all."""
        try:
            status = self._post(message)
        except NotDelivered as failure:
            return str(failure), None if failure.final else self._wait(message)
        if 200 <= status < 300:
            return None, None
        error = f"the webhook answered with status {status}" + (", a redirect" if 300 <= status < 400 else "")
        return error, None if status == _GONE else self._wait(message)

    def _post(self, message: Delivery) -> int:
        now = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "user-agent": "distillery",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message.id, now, message.body),
        }
        return post(
            message.url,
            message.body.encode(),
            headers,
            timeout_seconds=_TIMEOUT_SECONDS,
            private=self._services.settings.webhook_private,
            look_up=lambda host, port, seconds: self._lookups.addresses(host, port, message.owner, seconds),
        )

    def _wait(self, message: Delivery) -> float | None:
        """Some jitter, so that what failed together is not tried again together."""
        if message.tries > len(self._waits):
            return None
        return self._waits[message.tries - 1] * random.uniform(0.8, 1.2)
