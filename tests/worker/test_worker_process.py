"""Whole workers as processes, with a real Redis: told to stop, and killed, in the middle of a job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.settings import Settings, variable
from jobs.states import JobState
from kd_engine.files import sha256_of
from standalone.errors import CannotStart
from standalone.redis_server import RedisServer
from tests.kd_engine.runs import DIGITS, run_spec
from tests.worker.conftest import look, trainers
from worker.execute import Services

pytestmark = pytest.mark.service
ROOT = Path(__file__).resolve().parents[2]
BODY: dict[str, Any] = DIGITS | {"student": "resnet20", "training": {"epochs": 12, "batch_size": 128}}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    with RedisServer(tmp_path / "redis") as server:
        try:
            command = server.program({}).command
        except CannotStart as error:
            if os.environ.get("CI") == "true":
                pytest.fail(str(error))
            pytest.skip(str(error))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait(server.ping)
            yield server.url
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def start_worker(settings: Settings, broker: str, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts `python -m worker` with this test's settings; what still runs at the end is killed."""
    chosen = settings.model_dump(exclude_none=True) | {"broker_url": broker, "sweep_seconds": 0.5}
    env = os.environ | {variable(field): str(value) for field, value in chosen.items()}
    processes: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", "worker"], cwd=ROOT, env=env, stdout=log, stderr=log)
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def _wait(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def _epochs(services: Services, job_id: str) -> int:
    with services.database.read() as repository:
        return len(repository.metrics(job_id))


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told to stop"])
def test_another_worker_goes_on_and_the_student_is_the_same(
    services: Services,
    submit: Callable[[dict[str, Any]], str],
    start_worker: Callable[[], subprocess.Popen[bytes]],
    tmp_path: Path,
    end: signal.Signals,
) -> None:
    """Nobody rings for the job: the idle worker's sweeper finds it, as after a broker that forgot everything."""
    job_id = submit(BODY)
    first = start_worker()
    _wait(lambda: _epochs(services, job_id) >= 5)
    first.send_signal(end)
    first.wait(30)
    _wait(lambda: not trainers(services.settings), 10)
    assert look(services, job_id).state == (JobState.RUNNING if end == signal.SIGKILL else JobState.QUEUED)
    start_worker()
    _wait(lambda: look(services, job_id).state.terminal)
    job = look(services, job_id)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2), job.end_detail
    assert job.lost_attempts == (1 if end == signal.SIGKILL else 0)
    assert run_spec(BODY, tmp_path / "undisturbed").reason == "completed"
    with services.database.read() as repository:
        student = repository.artifact(job_id, "student.safetensors")
        resumed = [event.data["resumed"] for event in repository.events(job_id, 0, 1000) if event.type == "run_started"]
    assert student.sha256 == sha256_of(tmp_path / "undisturbed" / "student.safetensors")
    assert resumed == [False, True]
