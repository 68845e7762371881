"""The Celery application of the workers, and what each worker process holds while it runs.

One worker process trains one job at a time (`--pool=solo`): the trainer is a child process, so the worker itself needs
no pool, and `kill -9` of the worker leaves nothing that could go on pretending to be it.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from functools import partial
from typing import Any

from celery import Celery, signals

from jobs.artifacts import open_store
from jobs.broker import listening
from jobs.database import Database
from jobs.settings import Settings
from jobs.telemetry.spans import open_spans
from jobs.wakeup import QUEUE, heard_by
from worker.context import Services
from worker.device import find_device
from worker.job_loop import JobLoop
from worker.liveness_file import touch
from worker.memory_limit import tell_limit
from worker.periodic.garbage_collector import GarbageCollector
from worker.periodic.lease_reaper import LeaseReaper
from worker.periodic.runner import PeriodicRunner, Step
from worker.periodic.webhook_sender import WebhookSender
from worker.tasks import register
from worker.wait_for_schema import wait_for_tables

log = logging.getLogger(__name__)
_PURGE_SECONDS = 60.0
_COLLECT_SECONDS = 600.0
_GOODBYE_SECONDS = 5.0
# Its threads seldom need one at the same moment, and there may be a thousand workers: what each of them keeps, the
# server keeps a process for.
_CONNECTIONS_KEPT = 1


def make_app(settings: Settings) -> Celery:
    """A Celery application that hears the rings of the broker."""
    app = Celery("distillery-worker")
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
        **listening(settings.broker_url),
    )
    return app


class WorkerProcess:
    """This process as a worker: its context, its job loop, what it does periodically and the task that it answers to.

    Raises:
        jobs.settings.SettingsError: the artifact store cannot be used; or it shall train on a GPU, and there is none;
            or serve metrics on a port that is taken.
    """

    def __init__(self, settings: Settings) -> None:
        self.app = make_app(settings)
        worker_id = f"{socket.gethostname()}-{os.getpid()}"
        self.services = Services(
            settings=settings,
            database=Database(settings.database_url, "distillery-worker", kept=_CONNECTIONS_KEPT),
            store=open_store(settings),
            worker_id=worker_id,
            device=find_device(settings.device),
            spans=open_spans("distillery-worker", worker_id),
        )
        self._listener = self.services.metrics.listener()
        self.job_loop = JobLoop(self.services)
        self.lease_reaper = LeaseReaper(self.services, self.job_loop.wake)
        self.runners = make_periodic_runners(self.services, self.lease_reaper)
        register(self.app, self.job_loop.answer)

    def run(self) -> None:
        """Works until SIGTERM or SIGINT; then the job in hand is checkpointed and handed back.

        Raises:
            jobs.errors.SchemaTooNew: the database belongs to a version that this one cannot work with.
        """
        wait_for_tables(self.services.database)
        tell_limit(self.services.settings)
        signals.setup_logging.connect(_leave_logging_alone)
        # Not only once the broker answers: what waits is found in the database, with or without it.
        signals.celeryd_after_setup.connect(self._arrive)
        signals.worker_shutting_down.connect(self._leave)
        queues = ",".join(heard_by(self.services.device))
        try:
            self.app.worker_main(
                ["worker", "--pool=solo", "--loglevel=INFO", "--without-gossip", "--without-mingle",
                 "--without-heartbeat", f"--queues={queues}", f"--hostname={self.services.worker_id}"]
            )  # fmt: skip
        finally:
            self._close()

    def _arrive(self, **_: Any) -> None:
        for runners in self.runners:
            runners.start()
        self.job_loop.start()

    def _leave(self, **_: Any) -> None:
        self.services.leaving.set()
        self.job_loop.wake()
        threading.Thread(target=self._end_anyway, name="goodbye", daemon=True).start()

    def _end_anyway(self) -> None:
        """Celery says goodbye to the broker before it ends; a broker that is frozen would keep it for ever."""
        self._close()
        time.sleep(_GOODBYE_SECONDS)
        log.warning("the broker does not let go; ending without it")
        os._exit(0)

    def _close(self) -> None:
        """Hands the job in hand back and ends all threads; harmless when it was done before."""
        self.job_loop.stop()
        for runners in self.runners:
            runners.stop()
        self.lease_reaper.forget_if_possible()
        self.services.spans.close()
        if self._listener is not None:
            self._listener.close()
        self.services.database.dispose()


def _leave_logging_alone(**_: Any) -> None:
    """Who answers this signal keeps Celery from setting up logging in its own way."""


def make_periodic_runners(services: Services, lease_reaper: LeaseReaper) -> tuple[PeriodicRunner, ...]:
    """What a worker does beside its job; what may take long has a thread of its own."""
    settings, garbage_collector = services.settings, GarbageCollector(services)
    sweeps = [Step(lease_reaper.beat, settings.heartbeat_seconds), Step(lease_reaper.reap, settings.reap_seconds)]
    if settings.pulse_file is not None:
        alive = partial(touch, settings.pulse_file, settings.heartbeat_seconds)
        sweeps.append(Step(alive, settings.heartbeat_seconds))
    runners = [
        PeriodicRunner("lease-reaper", *sweeps),
        PeriodicRunner(
            "garbage-collector",
            Step(garbage_collector.purge, _PURGE_SECONDS),
            Step(garbage_collector.forget_workers, _PURGE_SECONDS),
            Step(garbage_collector.collect, _COLLECT_SECONDS),
        ),
    ]
    if settings.webhook_secret is not None:
        runners.append(PeriodicRunner("webhook-sender", WebhookSender(services, settings.webhook_secret).step()))
    return tuple(runners)
