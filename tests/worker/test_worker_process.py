"""Whole workers as processes, with a real Redis: told to stop, and killed, in the middle of a job."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from distillery.states import DeliveryState, JobState
from standalone.errors import CannotStart
from standalone.redis_server import RedisServer
from tests.conftest import skip_unless_ci
from tests.worker.conftest import LONGER, QUICK, Start, look, ring, trainers, wait_until, workers_seen
from tests.worker.hooks import listening
from worker.context import Services
from worker.liveness_file import check

pytestmark = pytest.mark.service
Submit = Callable[[dict[str, Any]], str]


@dataclass
class Broker:
    url: str
    process: subprocess.Popen[bytes]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with RedisServer(tmp_path / "redis") as server:
        try:
            command = server.program({}).command
        except CannotStart as error:
            skip_unless_ci(str(error))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_until(server.ping)
            yield Broker(server.url, process)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(10)


def _epochs(services: Services, job_id: str) -> int:
    with services.database.read() as repository:
        return len(repository.metrics(job_id))


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told to stop"])
def test_another_worker_goes_on_and_the_student_is_the_same(
    services: Services,
    submit: Callable[[dict[str, Any]], str],
    start_worker: Start,
    broker: Broker,
    undisturbed: str,
    end: signal.Signals,
) -> None:
    """Nobody rings for the job: the idle worker finds it by itself, as after a broker that forgot everything."""
    job_id = submit(LONGER)
    first = start_worker(broker.url, checkpoint_seconds=0.5)
    wait_until(lambda: _epochs(services, job_id) >= 4)  # two of them of the student
    first.send_signal(end)
    first.wait(30)
    wait_until(lambda: not trainers(services.settings), 10)
    assert look(services, job_id).state == (JobState.RUNNING if end == signal.SIGKILL else JobState.QUEUED)
    start_worker(broker.url)
    wait_until(lambda: look(services, job_id).state.terminal)
    job = look(services, job_id)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2), job.end_detail
    assert job.lost_attempts == (1 if end == signal.SIGKILL else 0)
    with services.database.read() as repository:
        student = repository.artifact(job_id, "student.safetensors")
        resumed = [event.data["resumed"] for event in repository.events(job_id, 0, 1000) if event.type == "run_started"]
    assert student.sha256 == undisturbed
    assert resumed == [False, True]


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_ring_is_heard_at_once(
    services: Services, submit: Submit, start_worker: Start, broker: Broker, device: str
) -> None:
    """The workers look by themselves once an hour, so it is the ring that tells them."""
    pulse = services.settings.home / "pulse"
    start_worker(broker.url, look_seconds=3600, pulse_file=pulse)
    first = submit(QUICK)
    wait_until(lambda: look(services, first).state.terminal)  # found at the start
    assert check(pulse) is None
    second = submit(QUICK | {"resources": {"device": device}})
    ring(broker.url, second, device)
    wait_until(lambda: look(services, second).state.terminal)


def test_a_hundred_rings_are_one_attempt(
    services: Services, submit: Submit, start_worker: Start, broker: Broker
) -> None:
    for _ in range(2):
        start_worker(broker.url, look_seconds=0.1)
    wait_until(lambda: workers_seen(services) == 2)
    ids = [submit(QUICK) for _ in range(5)]
    ring(broker.url, ids[0], "auto", times=100)
    wait_until(lambda: all(look(services, job_id).state.terminal for job_id in ids))
    time.sleep(1)  # for what may still come of the other rings
    for job_id in ids:
        with services.database.read() as repository:
            claims = [event for event in repository.events(job_id, 0, 100) if event.type == "claimed"]
        assert len(claims) == look(services, job_id).attempt == 1


@pytest.mark.parametrize("state", ["absent", "frozen"])
def test_a_worker_works_and_leaves_without_a_broker(
    services: Services, submit: Submit, start_worker: Start, broker: Broker, state: str
) -> None:
    """The database knows the jobs; told to stop, the worker hands its own back and ends, whoever does not answer."""
    ready = submit(QUICK)
    worker = start_worker(broker.url if state == "frozen" else "redis://127.0.0.1:1/0")
    wait_until(lambda: look(services, ready).state.terminal)
    if state == "frozen":
        broker.process.send_signal(signal.SIGSTOP)
    job_id = submit(LONGER)
    wait_until(lambda: _epochs(services, job_id) >= 1)
    worker.send_signal(signal.SIGTERM)
    wait_until(lambda: look(services, job_id).state is JobState.QUEUED, 30)
    assert look(services, job_id).lost_attempts == 0
    worker.wait(30)


def test_a_message_whose_courier_was_killed_comes_again(
    services: Services, submit: Submit, start_worker: Start, broker: Broker
) -> None:
    """Killed when the webhook has the message and has not answered yet; the minute of the claim is made to pass."""
    workers: list[subprocess.Popen[bytes]] = []

    def answer(before: int) -> tuple[int, dict[str, str]]:
        if before == 0:
            workers[0].kill()
            workers[0].wait(10)
        return 200, {}

    more = {"webhook_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "webhook_private": True}
    with listening(answer) as hook:
        job_id = submit(QUICK | {"webhooks": [{"url": hook.url}]})
        workers.append(start_worker(broker.url, **more))
        hook.wait_for_one()
        with services.database.read() as repository:
            [delivery] = repository.deliveries(job_id)
        assert delivery.state is DeliveryState.DUE
        assert services.database.url.database is not None
        with sqlite3.connect(services.database.url.database) as connection:
            connection.execute("UPDATE deliveries SET due_at = 0")
        connection.close()
        workers.append(start_worker(broker.url, **more))
        hook.wait_for_one()

        def delivered() -> bool:
            with services.database.read() as repository:
                return repository.deliveries(job_id)[0].state is DeliveryState.DELIVERED

        wait_until(delivered)
    assert [headers["webhook-id"] for _, headers, _ in hook.received] == [delivery.id] * 2


def test_its_log_is_one_object_a_line_and_its_metrics_are_served(
    services: Services, submit: Submit, start_worker: Start, broker: Broker, tmp_path: Path
) -> None:
    job_id = submit(QUICK)
    worker = start_worker(broker.url, metrics_port=0, log_format="json")
    wait_until(lambda: look(services, job_id).state.terminal)
    log = tmp_path / "worker.log"
    wait_until(lambda: "attempt 1 is over" in log.read_text())
    found = re.search(r"http://127\.0\.0\.1:\d+/metrics", log.read_text())
    assert found is not None
    with urllib.request.urlopen(found[0]) as answer:
        served = answer.read().decode()
    worker.send_signal(signal.SIGTERM)
    worker.wait(30)
    assert 'distillery_jobs_ended_total{reason="data_error"} 1.0' in served
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    about = [line for line in lines if job_id in line["message"]]
    assert about
    assert all(line["job_id"] == job_id and line["trace_id"] for line in about)
    assert any(line["logger"].startswith("celery") for line in lines), "its lines go the same way"
