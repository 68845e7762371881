"""A worker's services over a real SQLite database and a real artifact store; trainers are real processes.

The store is a folder, unless a test says otherwise.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from api.dependencies.wakeup_producer import make_producer
from distillery.states import JobState
from jobs.artifacts import open_store
from jobs.database import Database
from jobs.settings import Settings, variable
from jobs.tables import Job
from jobs.wakeup import TASK, queue_for
from kd_engine.jobspec import parse_spec
from kd_engine.platform.files import sha256_of
from tests.kd_engine.small_runs import DIGITS, run_spec
from worker.attempt.execute import execute
from worker.context import Services

ROOT = Path(__file__).resolve().parents[2]

# about ten seconds of training, far longer than any test lets it run
SLOW: dict[str, Any] = DIGITS | {"student": "resnet20", "training": {"epochs": 200, "batch_size": 128}}

# long enough to be disturbed in the middle; a few seconds, and without the student alone, which shows nothing here
LONGER: dict[str, Any] = DIGITS | {
    "student": "resnet8", "training": {"epochs": 12, "batch_size": 128}, "baseline": False,
}  # fmt: skip

# ends at once, without a trainer: the network that it is to measure is gone
QUICK: dict[str, Any] = {"kind": "evaluate", "dataset": "digits", "model": {"job": "job_0"}}


def _settings(home: Path, **more: str) -> Settings:
    return Settings(
        home=home,
        threads=1,
        device="cpu",
        heartbeat_seconds=0.2,
        stop_after_seconds=5,
        lease_seconds=6,
        cancel_grace_seconds=5,
        checkpoint_seconds=0.05,
        download=False,
        **more,
    )


@pytest.fixture
def settings(tmp_path: Path, store_settings: dict[str, str]) -> Settings:
    return _settings(tmp_path / "home", **store_settings)


@contextmanager
def _services(settings: Settings) -> Iterator[Services]:
    database = Database(settings.database_url)
    database.migrate()
    yield Services(settings, database, open_store(settings), worker_id="test-worker", device="cpu")
    database.dispose()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sha256 of the student that `LONGER` gives where nothing happens."""
    out = tmp_path_factory.mktemp("undisturbed")
    assert run_spec(LONGER, out).reason == "completed"
    return sha256_of(out / "student.safetensors")


@pytest.fixture(scope="session")
def _home_of_trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A worker's home in which the job `DIGITS` has succeeded, and that job's id."""
    home = tmp_path_factory.mktemp("trained") / "home"
    with _services(_settings(home)) as services:
        job_id = _submit(services, DIGITS)
        assert run_next(services).state is JobState.SUCCEEDED
    return home, job_id


@pytest.fixture
def trained(settings: Settings, _home_of_trained: tuple[Path, str]) -> str:
    """The id of a job `DIGITS` that has succeeded in this test's home. Comes before `services` among the arguments."""
    home, job_id = _home_of_trained
    shutil.copytree(home, settings.home)
    return job_id


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    with _services(settings) as services:
        yield services
    assert not trainers(settings), "a trainer was left behind"


@pytest.fixture
def submit(services: Services) -> Callable[[dict[str, Any]], str]:
    """Records a job as POST /jobs would; returns its id."""
    return partial(_submit, services)


def _submit(services: Services, body: dict[str, Any]) -> str:
    with services.database.write() as repository:
        return repository.create(parse_spec(body).resolved()).id


def claim(services: Services) -> Job | None:
    """The job whose turn it is, as a worker's job loop claims it."""
    with services.database.write() as repository:
        return repository.claim_next(
            services.worker_id, services.device, services.settings.lease_seconds, services.settings.quota_of
        )


def run_next(services: Services) -> Job:
    """Runs one attempt of the job whose turn it is; the job as it is then."""
    job = claim(services)
    assert job is not None, "no job waits"
    execute(job, services)
    return look(services, job.id)


class Running:
    """One attempt in a thread, as a worker's job loop runs it."""

    def __init__(self, job_id: str, services: Services) -> None:
        self.job_id, self._services = job_id, services
        job = claim(services)
        assert job is not None
        assert job.id == job_id
        self._thread = threading.Thread(target=execute, args=(job, services))
        self._thread.start()

    def wait_for(self, event: str) -> None:
        """Waits until the job has such an event."""
        self.until(lambda: any(found.type == event for found in self._events()))

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert self._thread.is_alive(), f"the attempt is over: {look(self._services, self.job_id).end_detail}"
            assert time.monotonic() < deadline, "waited for a minute"
            time.sleep(0.02)

    def join(self) -> Job:
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()
        return look(self._services, self.job_id)

    def _events(self) -> list[Any]:
        with self._services.database.read() as repository:
            return repository.events(self.job_id, 0, 1000)


@pytest.fixture
def start(services: Services) -> Callable[[str], Running]:
    return lambda job_id: Running(job_id, services)


def look(services: Services, job_id: str) -> Job:
    with services.database.read() as repository:
        return repository.get(job_id)


def trainers(settings: Settings) -> list[psutil.Process]:
    """Trainer processes whose folder lies under this test's home."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = process.info["cmdline"] or []
        if (
            "worker.attempt.trainer_main" in line
            and str(settings.runs_dir) in line[-1]
            and process.info["status"] != "zombie"
        ):
            found.append(process)
    return found


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start_worker(settings: Settings, tmp_path: Path) -> Iterator[Start]:
    """Starts `python -m worker` with this test's settings and more; what still runs at the end is killed."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(broker_url: str, **more: Any) -> subprocess.Popen[bytes]:
        chosen = (
            settings.model_dump(exclude_unset=True)
            | {"broker_url": broker_url, "reap_seconds": 0.5, "look_seconds": 0.5}
            | more
        )
        env = os.environ | {variable(field): str(value) for field, value in chosen.items()}
        with (tmp_path / "worker.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", "worker"], cwd=ROOT, env=env, stdout=log, stderr=log)
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def wait_until(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def ring(broker_url: str, job_id: str, device: str = "auto", times: int = 1) -> None:
    """As the api does."""
    producer = make_producer(broker_url)
    for _ in range(times):
        producer.send_task(TASK, args=[job_id], queue=queue_for(device), ignore_result=True, retry=False)


def workers_seen(services: Services) -> int:
    with services.database.read() as repository:
        return len(repository.workers_seen(60))
