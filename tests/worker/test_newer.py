"""What a worker does beside a newer version of the service: specs that it does not know, tables that it does not."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distillery.states import EndReason, JobState
from jobs.database import Database
from jobs.errors import SchemaTooNew
from jobs.settings import variable
from tests.worker.conftest import QUICK, ROOT, look, wait_until
from worker.context import Services
from worker.job_loop import JobLoop
from worker.wait_for_schema import wait_for_tables

Submit = Callable[[dict[str, Any]], str]


def rewrite(services: Services, statement: str, *values: str) -> None:
    """Changes what is stored as a program of another version would have it."""
    connection = sqlite3.connect(str(services.database.url.database))
    with connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize(
    ("change", "says"), [({"colour": "blue"}, "/colour: "), ({"kind": "dream"}, "/kind: "), ({"seed": "no"}, "/seed: ")]
)
def test_a_spec_of_a_newer_version_is_left_to_a_newer_worker(
    services: Services, submit: Submit, change: dict[str, Any], says: str
) -> None:
    newer, older = submit(QUICK), submit(QUICK)
    known = look(services, newer).spec
    rewrite(services, "UPDATE jobs SET spec = ? WHERE id = ?", json.dumps(known | change), newer)
    worker = JobLoop(services)
    for _ in range(2):
        worker.work()
    job = look(services, newer)
    assert (job.state, job.attempt, job.lost_attempts) == (JobState.QUEUED, 1, 0)  # taken once, and not again
    assert look(services, older).end_reason is EndReason.DATA_ERROR  # what comes after it does not wait
    with services.database.read() as repository:
        [why] = [event.data["why"] for event in repository.events(newer, 0, 100) if event.type == "requeued"]
    assert f"worker 'test-worker': its version does not know this spec ({says}" in why

    # a worker that knows it
    rewrite(services, "UPDATE jobs SET spec = ? WHERE id = ?", json.dumps(known), newer)
    JobLoop(replace(services, beyond=set())).work()
    assert look(services, newer).state.terminal


def test_tables_that_are_too_old_are_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = Database(f"sqlite:///{tmp_path}/distillery.db")
    waiting = threading.Thread(target=wait_for_tables, args=(database,))
    with caplog.at_level(logging.WARNING, "worker.wait_for_schema"):
        waiting.start()
        wait_until(lambda: "the tables are at revision none" in caplog.text)
        assert waiting.is_alive()
        database.migrate()
        waiting.join(30)
    assert not waiting.is_alive()
    assert len(caplog.records) == 1
    database.dispose()


def test_a_worker_does_not_start_on_tables_of_a_newer_generation(services: Services) -> None:
    rewrite(services, "UPDATE alembic_version SET version_num = ?", "9001")
    with pytest.raises(SchemaTooNew):
        wait_for_tables(services.database)
    env = os.environ | {variable("home"): str(services.settings.home), variable("device"): "cpu"}
    ended = subprocess.run(
        [sys.executable, "-m", "worker"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert "cannot start: the database is at revision '9001'" in ended.stderr
    assert "Traceback" not in ended.stderr
