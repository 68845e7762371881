"""Files in a bucket, with its server away, and with several servers of the API in front of it."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from jobs.artifacts import s3_client
from jobs.settings import Settings
from tests.api.conftest import Service, serving
from tests.api.routes.test_datasets import ready
from tests.kd_engine.intake.archives import by_class, zipped
from tests.s3 import S3Server, Wire, known


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    return zipped(tmp_path / "a.zip", by_class(3)).read_bytes()


@contextmanager
def on_a_wire(server: S3Server, home: Path) -> Iterator[tuple[Service, Wire]]:
    wire = Wire(server.port)
    with known(wire.url):
        settings = Settings(home=home, broker_url="memory://", artifacts_url=server.new_bucket())
        with serving(settings) as service:
            yield service, wire
            wire.cut()


def test_while_the_store_is_away(
    s3_server: S3Server, tmp_path: Path, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_client, "_RETRIES", 0)
    with on_a_wire(s3_server, tmp_path / "home") as (service, wire):
        client = service.client
        dataset_id = ready(service, archive, tmp_path)
        job_id = service.create()
        service.publish(job_id, service.start(job_id), "a.txt", b"content", tmp_path)
        upload = client.post("/uploads").json()["id"]
        assert client.patch(f"/uploads/{upload}", content=archive, headers={"Upload-Offset": "0"}).status_code == 200
        assert client.get("/readyz").json()["parts"]["store"]["ok"] is True
        wire.cut()
        requests = [
            client.build_request("GET", f"/jobs/{job_id}/artifacts/a.txt"),
            client.build_request("HEAD", f"/jobs/{job_id}/artifacts/a.txt"),
            client.build_request("POST", "/datasets", content=archive),
            client.build_request("POST", "/datasets", params={"upload": upload}),
            client.build_request("GET", f"/uploads/{upload}"),
            client.build_request("PATCH", f"/uploads/{upload}", content=b"x", headers={"Upload-Offset": "0"}),
            client.build_request("GET", f"/datasets/{dataset_id}"),
        ]
        for request in requests:
            answer = client.send(request)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5"), request
            if request.method != "HEAD":
                assert answer.json()["code"] == "store_unavailable"
                assert "127.0.0.1" not in answer.text
        assert client.get("/readyz").json()["parts"]["store"]["ok"] is False
        assert client.get(f"/jobs/{job_id}").status_code == 200, "what needs no file goes on"
        wire.mend()
        assert client.get(f"/jobs/{job_id}/artifacts/a.txt").content == b"content"
        assert client.get(f"/uploads/{upload}").json()["offset"] == len(archive)
        assert client.post("/datasets", params={"upload": upload}).status_code == 200, "the same was sent before"


def test_a_download_that_the_store_breaks_off_is_resumed(s3_server: S3Server, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096 * 20
    with on_a_wire(s3_server, tmp_path / "home") as (service, wire):
        job_id = service.create()
        service.publish(job_id, service.start(job_id), "large.bin", content, tmp_path)
        url, got = f"/jobs/{job_id}/artifacts/large.bin", b""
        with service.client.stream("GET", url) as answer, suppress(httpx.RemoteProtocolError):
            for piece in answer.iter_raw(2**16):
                got += piece
                if len(got) == 2**16:
                    wire.cut()
        assert 0 < len(got) < len(content)
        wire.mend()
        rest = service.client.get(url, headers={"Range": f"bytes={len(got)}-", "If-Range": answer.headers["etag"]})
        assert rest.status_code == 206
        assert hashlib.sha256(got + rest.content).hexdigest() == hashlib.sha256(content).hexdigest()


def test_parts_may_go_to_any_server(bucket: dict[str, str], tmp_path: Path, archive: bytes) -> None:
    """Two servers with nothing in common but the database and the bucket."""
    shared = {"broker_url": "memory://", "database_url": f"sqlite:///{tmp_path}/shared.db", **bucket}
    with (
        serving(Settings(home=tmp_path / "one", **shared)) as one,
        serving(Settings(home=tmp_path / "two", **shared)) as two,
    ):
        upload, cut = one.client.post("/uploads").json()["id"], len(archive) // 2
        with socket.create_connection(("127.0.0.1", one.port)) as connection:
            head = (
                f"PATCH /uploads/{upload} HTTP/1.1\r\nHost: localhost\r\n"
                f"Upload-Offset: 0\r\nContent-Length: {cut}\r\n\r\n"
            )
            connection.sendall(head.encode() + archive[: cut - 1])
            deadline = time.monotonic() + 30
            while not two.files() and time.monotonic() < deadline:
                time.sleep(0.01)  # it has not begun yet
            assert two.client.patch(f"/uploads/{upload}", headers={"Upload-Offset": "0"}).status_code == 409
            connection.sendall(archive[cut - 1 : cut])
            assert b"200 OK" in connection.recv(1000)
        answer = two.client.patch(f"/uploads/{upload}", content=archive[cut:], headers={"Upload-Offset": str(cut)})
        assert (answer.status_code, answer.json()["offset"]) == (200, len(archive))
        assert one.client.get(f"/uploads/{upload}").json()["offset"] == len(archive)
        assert one.client.post("/datasets", params={"upload": upload}).status_code == 201
        [stored] = two.files()
        assert two.content(stored) == archive
    assert not (tmp_path / "one" / "artifacts").exists()
