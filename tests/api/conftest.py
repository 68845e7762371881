"""A real server on a loopback port, and ways to bring a job into each state."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app.create import create_app
from api.dependencies.context import Context
from api.server.limits import Limits
from api.server.uvicorn_server import make_server
from distillery.states import EndReason, JobState
from jobs.artifacts import ArtifactInfo, media_type_of
from jobs.settings import Settings
from kd_engine.schema.events import EpochEnd, Progress
from tests import stores

SPEC: dict[str, Any] = {"dataset": "digits", "teacher": "mlp", "student": "softmax_regression", "temperature": 5}


class Service:
    """A running api: a client to it, and its own parts for setting a stage."""

    def __init__(
        self, client: httpx.Client, context: Context, openapi: dict[str, Any], port: int | None = None
    ) -> None:
        self.client, self.context, self.openapi, self.metrics_port = client, context, openapi, port

    @property
    def port(self) -> int:
        assert self.client.base_url.port is not None
        return self.client.base_url.port

    @contextmanager
    def caller(self, key: str) -> Iterator[httpx.Client]:
        """A client that sends this API key."""
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=self.client.base_url, headers=headers, timeout=30) as client:
            client.event_hooks["response"].append(documented_answers(self.openapi))
            yield client

    def create(self, **changes: Any) -> str:
        answer = self.client.post("/jobs", json=SPEC | changes)
        assert answer.status_code == 201, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    def start(self, job_id: str) -> int:
        """Claims the job as a worker does, and returns its token."""
        with self.context.database.write() as repository:
            job = repository.claim(job_id, "worker-1", 60)
            assert job is not None
            return job.token

    def train(self, job_id: str, token: int) -> None:
        """One epoch of each phase, and some progress into the next."""
        with self.context.database.write() as repository:
            for phase in ("student", "teacher", "baseline"):
                metrics = {"val_accuracy": 0.5, "train_loss": 1.25} | ({"lr": 0.1} if phase == "student" else {})
                repository.record(job_id, token, [EpochEnd(phase=phase, repeat=0, epoch=1, epochs=2, metrics=metrics)])
            progress = Progress(
                phase="student", repeat=0, epoch=2, step=3, steps=10, fraction=0.5, seconds_remaining=9.5
            )
            repository.record(job_id, token, [progress])

    def publish(self, job_id: str, token: int, name: str, content: bytes, folder: Path) -> ArtifactInfo:
        """Puts a file into the store and lists it."""
        path = folder / "source"
        path.write_bytes(content)
        key = f"{job_id}/{token}/{name}"
        size, sha256 = self.context.store.put(path, key)
        info = ArtifactInfo(name, "result", media_type_of(name), size, sha256, key)
        with self.context.database.write() as repository:
            repository.list_artifact(job_id, token, info)
        return info

    def files(self) -> list[str]:
        """The names of all that lies in the store."""
        return stores.everything(self.context.settings)

    def content(self, key: str) -> bytes:
        return stores.content(self.context.store, key)

    def end(self, job_id: str, reason: EndReason, token: int | None = None) -> None:
        held = self.start(job_id) if token is None else token
        with self.context.database.write() as repository:
            repository.finish(job_id, held, reason, "as the test wishes")

    def job_in(self, state: JobState) -> str:
        job_id = self.create()
        if state is JobState.RUNNING:
            self.start(job_id)
        elif state is JobState.CANCELLED:
            assert self.client.post(f"/jobs/{job_id}/cancel").status_code == 200
        elif state is JobState.PAUSED:
            assert self.client.post(f"/jobs/{job_id}/pause").status_code == 200
        elif state is not JobState.QUEUED:
            reasons = {JobState.SUCCEEDED: EndReason.COMPLETED, JobState.FAILED: EndReason.DIVERGED}
            self.end(job_id, reasons[state])
        return job_id


@contextmanager
def serving(settings: Settings, limits: Limits | None = None) -> Iterator[Service]:
    """The api with these settings, on a free loopback port until the block ends."""
    app = create_app(settings)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = make_server(app, settings, limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                metrics = app.state.metrics
                service = Service(client, app.state.context, app.openapi(), metrics.port if metrics else None)
                client.event_hooks["response"].append(documented_answers(service.openapi))
                yield service
        finally:
            server.should_exit = True
            thread.join()


def documented_answers(openapi: dict[str, Any]) -> Callable[[httpx.Response], None]:
    """A hook that fails the test on an answer that /openapi.json does not know, and on an error that is no problem."""

    def check(answer: httpx.Response) -> None:
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            if answer.request.method != "HEAD":
                answer.read()
                problem = answer.json()
                assert problem["status"] == answer.status_code
                assert problem["code"] in openapi["components"]["schemas"]["ProblemView"]["properties"]["code"]["enum"]
                assert problem["title"]
                assert problem["detail"]
        operation = _operation(openapi, answer.request)
        if operation is not None:
            assert str(answer.status_code) in operation["responses"], (answer.request.url, answer.status_code)

    return check


def _operation(openapi: dict[str, Any], request: httpx.Request) -> dict[str, Any] | None:
    parts = request.url.path.removeprefix("/").split("/")
    template = [
        "{name}" if place >= 3 else "{job_id}" if place == 1 and parts[0] == "jobs" else part
        for place, part in enumerate(parts[:4])
    ]
    operations: dict[str, Any] = openapi["paths"].get("/" + "/".join(template), {})
    found: dict[str, Any] | None = operations.get(request.method.lower())
    return found


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One api for all tests: each makes the jobs that it looks at."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), broker_url="memory://", page_size_max=20)
    with serving(settings) as running:
        yield running


MakeSettings = Callable[..., Settings]


@pytest.fixture
def make_settings(tmp_path: Path, store_settings: dict[str, str]) -> MakeSettings:
    """Settings of an api of a test's own."""
    return lambda **changes: Settings(
        home=tmp_path / "home", broker_url="memory://", page_size_max=20, **store_settings, **changes
    )


@pytest.fixture
def own_service(make_settings: MakeSettings) -> Iterator[Service]:
    """One of its own for a test that looks at all of its files."""
    with serving(make_settings()) as running:
        yield running


@pytest.fixture
def client(service: Service) -> httpx.Client:
    return service.client
