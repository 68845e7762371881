"""The Celery application of the workers, and what each worker process holds while it runs.

One worker process trains one job at a time (`--pool=solo`): the trainer is a child process, so the worker itself needs
no pool, and `kill -9` of the worker leaves nothing that could go on pretending to be it.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from celery import Celery, signals

from jobs.artifacts import LocalStore
from jobs.bell import QUEUE, TASK
from jobs.db import Database
from jobs.settings import Settings
from worker.execute import Services
from worker.sweeper import Sweeper
from worker.tasks import register

_BROKER_SECONDS = 2.0


def make_app(settings: Settings) -> Celery:
    """A Celery application that takes job ids from the broker, and can ring them."""
    app = Celery("distillery-worker", broker=settings.broker_url)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,  # the database, not the broker, knows what is still to be done
        task_default_queue=QUEUE,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"socket_connect_timeout": _BROKER_SECONDS, "socket_keepalive": True},
    )
    return app


class WorkerProcess:
    """This process as a worker: its services, its sweeper and the task that it answers to."""

    def __init__(self, settings: Settings) -> None:
        self.app = make_app(settings)
        self.services = Services(
            settings=settings,
            database=Database(settings.database_url),
            store=LocalStore(settings.artifacts_dir),
            worker_id=f"{socket.gethostname()}-{os.getpid()}",
        )
        self.sweeper = Sweeper(self.services, self._ring)
        register(self.app, self.services)

    def run(self) -> None:
        """Works until SIGTERM or SIGINT; then the job in hand is checkpointed and handed back."""
        signals.worker_ready.connect(self._arrive)
        signals.worker_shutting_down.connect(self._leave)
        try:
            self.app.worker_main(
                ["worker", "--pool=solo", "--loglevel=INFO", "--without-gossip", "--without-mingle",
                 "--without-heartbeat", f"--queues={QUEUE}", f"--hostname={self.services.worker_id}"]
            )  # fmt: skip
        finally:
            self.sweeper.stop()
            self.services.database.dispose()

    def _arrive(self, **_: Any) -> None:
        self.sweeper.start()

    def _leave(self, **_: Any) -> None:
        self.services.leaving.set()

    def _ring(self, job_id: str) -> None:
        self.app.send_task(TASK, args=[job_id], queue=QUEUE, ignore_result=True, retry=False)
