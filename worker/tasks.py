"""The one Celery task. It carries an id and nothing else: the job itself is in the database."""

from __future__ import annotations

from celery import Celery

from jobs.bell import TASK
from worker.execute import Services, execute


def register(app: Celery, services: Services) -> None:
    """Makes `app` answer the doorbell with `execute`."""

    def run_job(job_id: str) -> None:
        execute(job_id, services)

    app.task(name=TASK, ignore_result=True)(run_job)
