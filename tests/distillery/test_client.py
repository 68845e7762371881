from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from distillery.client import Client
from distillery.errors import RequestFailed

WEIGHTS = b"weights" * 1000
LISTED = {
    "student.safetensors": hashlib.sha256(WEIGHTS).hexdigest(),
    "tampered.safetensors": hashlib.sha256(b"others").hexdigest(),
}


class Service(BaseHTTPRequestHandler):
    """Answers as the api does, from memory."""

    def do_GET(self) -> None:
        if self.path.endswith("/artifacts"):
            self._json(200, {"artifacts": [{"name": name, "sha256": sha256} for name, sha256 in LISTED.items()]})
        elif self.path.endswith(".safetensors"):
            self._send(200, WEIGHTS)
        elif self.path == "/jobs/job_1/events?after=3":
            self._json(200, {"events": [{"seq": 4, "type": "created", "data": {}}]})
        else:
            self._json(404, {"code": "not_found", "detail": "there is no job 'job_2'"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._json(201, {"id": "job_1", "spec": json.loads(body)})

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _json(self, status: int, body: dict[str, Any]) -> None:
        self._send(status, json.dumps(body).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Client(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()


def test_a_job_is_sent_as_json(client: Client) -> None:
    assert client.create({"dataset": "digits"}) == {"id": "job_1", "spec": {"dataset": "digits"}}


def test_events_are_asked_for_from_the_last_one_seen(client: Client) -> None:
    assert [event["seq"] for event in client.events("job_1", 3)] == [4]


def test_a_download_is_whole_and_has_the_listed_checksum(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "student.safetensors"
    assert client.download("job_1", "student.safetensors", target) == LISTED["student.safetensors"]
    assert target.read_bytes() == WEIGHTS
    assert list(tmp_path.iterdir()) == [target]


def test_a_download_with_another_checksum_leaves_no_file(client: Client, tmp_path: Path) -> None:
    with pytest.raises(RequestFailed, match="sha256"):
        client.download("job_1", "tampered.safetensors", tmp_path / "tampered.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_that_is_not_listed_is_named_with_those_that_are(client: Client, tmp_path: Path) -> None:
    with pytest.raises(RequestFailed, match=r"no artifact 'x'.*student\.safetensors"):
        client.download("job_1", "x", tmp_path / "x")


def test_a_refusal_carries_the_service_s_own_words(client: Client) -> None:
    with pytest.raises(RequestFailed, match=r"GET /jobs/job_2 was answered with 404.*there is no job"):
        client.job("job_2")


def test_no_answer_is_said() -> None:
    with pytest.raises(RequestFailed, match="was not answered"):
        Client("http://127.0.0.1:1").job("job_1")
