from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from distillery.resources import Readiness
from jobs.settings import Settings
from tests.api.conftest import SPEC, Service, serving


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Service]:
    """An api that no other test uses, as these take parts of it away."""
    with serving(Settings(home=tmp_path / "home", broker_url="memory://")) as running:
        yield running


def test_the_process_is_alive(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}


def test_ready_once_a_worker_was_heard(own: Service) -> None:
    answer = own.client.get("/readyz")
    problem = answer.json()
    assert (answer.status_code, problem["code"], answer.headers["retry-after"]) == (503, "not_ready", "5")
    assert {name: part["ok"] for name, part in problem["parts"].items()} == {
        "database": True, "broker": True, "store": True, "workers": False,
    }  # fmt: skip
    with own.context.database.write() as repository:
        repository.beat("worker-1", "cpu", None)
    answer = own.client.get("/readyz")
    ready = Readiness.model_validate(answer.json())
    assert (answer.status_code, ready.status) == (200, "ready")
    assert all(part.ok for part in ready.parts.values())


def test_ready_tells_of_jobs_that_show_no_progress(own: Service) -> None:
    job_id = own.create()
    token = own.start(job_id)
    assert own.client.get(f"/jobs/{job_id}").json()["stalled_since"] is None
    with own.context.database.write() as repository:
        repository.beat("worker-1", "cpu", job_id)
        repository.note_stall(job_id, token, 250.0, "decoding pictures")
    answer = own.client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["parts"]["workers"]["detail"].endswith("1 of their jobs shows no progress.")
    since = own.client.get(f"/jobs/{job_id}").json()["stalled_since"]
    assert datetime.fromisoformat(since).tzinfo is not None
    assert own.client.get("/jobs").json()["jobs"][0]["stalled_since"] == since


def test_all_who_ask_at_the_same_time_share_one_look(own: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs a key to ask: it must not cost a thread and a connection for each."""
    looks, asked = [], threading.Event()

    def ping() -> None:
        looks.append(1)
        assert asked.wait(20)

    monkeypatch.setattr(own.context.store, "ping", ping)
    with ExitStack() as stack:
        waiting = [
            stack.enter_context(socket.create_connection(("127.0.0.1", own.port), timeout=30)) for _ in range(30)
        ]
        for connection in waiting:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert own.client.get("/jobs").status_code == 200
        asked.set()
        for connection in waiting:
            assert connection.recv(100).startswith(b"HTTP/1.1 503 ")
    assert len(looks) == 1


def test_not_ready_when_no_worker_has_room(own: Service) -> None:
    full = "3 MiB are free for its cache, and it wants 1,024"
    with own.context.database.write() as repository:
        repository.beat("worker-1", "cpu", None)
        repository.beat("worker-2", "cpu", None, full)
    answer = own.client.get("/readyz")
    assert answer.status_code == 200
    assert f"1 of them takes no job: {full}." in answer.json()["parts"]["workers"]["detail"]
    with own.context.database.write() as repository:
        repository.beat("worker-1", "cpu", None, full)
    answer = own.client.get("/readyz")
    part = answer.json()["parts"]["workers"]
    assert (answer.status_code, part["ok"]) == (503, False)
    assert f"2 of them take no job: {full}." in part["detail"]


def test_not_ready_without_a_broker_but_jobs_are_taken(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, broker_url="redis://:hunter2@127.0.0.1:1/0")
    with serving(settings) as service:
        answer = service.client.get("/readyz")
        assert (answer.status_code, answer.json()["parts"]["broker"]["ok"]) == (503, False)
        assert "hunter2" not in answer.text
        service.create()


@pytest.fixture
def without_database(own: Service) -> Iterator[Service]:
    """The api, its database gone: SQLite cannot open a folder."""
    own.create()
    own.context.database.dispose()
    path = own.context.settings.home / "distillery.db"
    for name in ("", "-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    path.mkdir()
    yield own
    path.rmdir()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/jobs"),
        ("GET", "/jobs"),
        ("GET", "/jobs/job_0"),
        ("POST", "/jobs/job_0/cancel"),
        ("DELETE", "/jobs/job_0"),
        ("GET", "/jobs/job_0/events"),
        ("GET", "/jobs/job_0/artifacts/report.json"),
    ],
)
def test_503_while_the_database_is_down(without_database: Service, method: str, path: str) -> None:
    body = SPEC if path == "/jobs" and method == "POST" else None
    answer = without_database.client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "distillery.db" not in answer.text


def test_alive_but_not_ready_while_the_database_is_down(without_database: Service) -> None:
    assert without_database.client.get("/healthz").status_code == 200
    parts = without_database.client.get("/readyz").json()["parts"]
    assert [name for name, part in parts.items() if not part["ok"]] == ["database", "workers"]
