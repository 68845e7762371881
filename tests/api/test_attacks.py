"""What somebody who means harm would try first. After each the service must be as well as before."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import socket
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.artifacts import ArtifactInfo
from kd_engine.catalog.dataset_params import ArraysParams
from kd_engine.data.readers import arrays
from kd_engine.models.weights import WeightsFolder
from kd_engine.schema.errors import DataError
from tests.api.attacks import MIB, Target, attacked
from tests.api.conftest import SPEC
from tests.api.following import messages

POST = b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
JSON = {"Content_Type": "application/json"}
EVIL_NAME = "a\r\nX-Evil: 1\r\n\r\nevent: ended\ndata: {}\n\n\x1b[31m<script>alert(1)</script>"
STREAMS = 1000


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with attacked(tmp_path_factory.mktemp("attacked")) as running:
        yield running


@pytest.fixture(scope="module")
def published(target: Target, tmp_path_factory: pytest.TempPathFactory) -> ArtifactInfo:
    """A file of a job that runs."""
    job_id = target.service.create()
    token = target.service.start(job_id)
    return target.service.publish(job_id, token, "report.json", b"{}" * 500, tmp_path_factory.mktemp("file"))


PATHS = [
    "..%2freport.json", "..%2f..%2f..%2fdistillery.db", "%2e%2e/%2e%2e/%2e%2e/distillery.db", "../../../distillery.db",
    "%252e%252e/%252e%252e/distillery.db", "%2fetc%2fpasswd", "//etc/passwd", "..%5c..%5cdistillery.db",
    "....//distillery.db", "report.json%00", "%00", "report.json%00.txt", "report.json%0d%0aX-Evil:%201", "report.jso",
    "report.json/", "report.json2", "./report.json", "%c0%ae%c0%ae/distillery.db", "a" * 5000, "%F0%9F%98%80",
]  # fmt: skip


@pytest.mark.parametrize("name", PATHS, ids=lambda name: name[:30])
def test_names_of_files(target: Target, published: ArtifactInfo, name: str) -> None:
    job_id = published.key.split("/")[0]
    for method in ("GET", "HEAD"):
        status, answer, body = target.raw(method, f"/jobs/{job_id}/artifacts/{name}")
        assert status == 404
        assert answer.getheader("X-Evil") is None
        assert b"SQLite" not in body
    target.check_unhurt()


def test_a_sibling_whose_name_begins_alike(target: Target, published: ArtifactInfo) -> None:
    job_id = published.key.split("/")[0]
    for path in (f"/jobs/{job_id[:-1]}/artifacts/report.json", f"/jobs/{job_id}x/artifacts/report.json",
                 f"/jobs/{job_id[:-1]}%2a/artifacts/report.json",
                 f"/jobs/{job_id[:-1]}/artifacts/..%2f{job_id}%2freport.json"):  # fmt: skip
        assert target.raw("GET", path)[0] == 404
    target.check_unhurt()


SPECS: list[tuple[dict[str, Any] | bytes, int]] = [
    (SPEC | {"temperature": 0}, 422),
    (SPEC | {"temperature": 1e308}, 422),
    (SPEC | {"temperature": "NaN"}, 422),
    (json.dumps(SPEC | {"temperature": float("nan")}).encode(), 400),
    (json.dumps(SPEC).replace("5}", "1e309}").encode(), 400),
    (SPEC | {"training": {"epochs": 10**9}}, 422),
    (SPEC | {"training": {"epochs": 10**4, "batch_size": 10**9}}, 422),
    (SPEC | {"repeats": 10**9}, 422),
    (SPEC | {"student": {"model": "mlp", "params": {"hidden": [10**9]}}}, 422),
    (SPEC | {"labels": {str(n): "x" for n in range(10**4)}}, 422),
    (SPEC | {"webhooks": [{"url": "http://user:pass@127.0.0.1/"}]}, 422),
    (SPEC | {"webhooks": [{"url": "file:///etc/passwd"}]}, 422),
    (b'{"a":' * 10**4 + b"1" + b"}" * 10**4, 400),
    (b"[" * 10**6, 400),
    (b'{"seed":' + b"9" * (MIB - 20) + b"}", 400),
    (gzip.compress(bytes(100 * MIB), mtime=0), 400),
]


@pytest.mark.parametrize(("body", "status"), SPECS, ids=lambda value: str(value)[:40])
def test_specs(target: Target, body: dict[str, Any] | bytes, status: int) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    before = target.client.get("/jobs?page_size=1").content
    headers = JSON | ({"Content_Encoding": "gzip"} if raw[:2] == b"\x1f\x8b" else {})
    found, answer, _ = target.raw("POST", "/jobs", raw, **headers)
    assert found == status
    assert answer.getheader("content-type") == "application/problem+json"
    assert target.client.get("/jobs?page_size=1").content == before
    target.check_unhurt()


def test_100_megabytes_announced(target: Target) -> None:
    """Refused before it is read: the answer comes although nothing of the body was sent."""
    with target.connect() as connection:
        connection.sendall(POST + b"Content-Length: 104857600\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    target.check_unhurt()


@pytest.mark.parametrize("length", ["-1", "1e9", "9" * 30, "0x10", "1, 2"])
def test_lengths_that_are_none(target: Target, length: str) -> None:
    with target.connect() as connection:
        connection.sendall(POST + f"Content-Length: {length}\r\n\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100)[:10] == b"HTTP/1.1 4"
    target.check_unhurt()


def test_100_megabytes_in_pieces_of_unknown_number(target: Target) -> None:
    piece = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    with target.connect() as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(100 * MIB // 0x10000):
                connection.sendall(piece)
        except OSError:
            pass  # it hung up, as it may
        else:
            assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    target.check_unhurt()


@pytest.mark.parametrize("count", [2, 16, 17, 1000, 10_000])
@pytest.mark.parametrize("one", ["0-", "{n}-{n}", "-1"])
def test_many_ranges(target: Target, published: ArtifactInfo, count: int, one: str) -> None:
    """An answer is never larger than the file and a few headers; a header that is too long may be refused."""
    job_id = published.key.split("/")[0]
    ranges = ",".join(one.format(n=n) for n in range(count))
    try:
        status, _, body = target.raw("GET", f"/jobs/{job_id}/artifacts/report.json", Range=f"bytes={ranges}")
    except OSError:
        status, body = 431, b""  # hung up in the middle of the header
    assert status in {200, 206, 400, 431}
    assert len(body) < published.size + 16 * 300
    target.check_unhurt()


def test_a_name_with_line_breaks_escapes_and_markup(target: Target) -> None:
    created = target.client.post("/jobs", json=SPEC | {"name": EVIL_NAME, "labels": {"<b>": EVIL_NAME}})
    job_id = created.json()["id"]
    assert created.status_code == 201
    target.client.post(f"/jobs/{job_id}/cancel")
    for path in (f"/jobs/{job_id}", "/jobs?page_size=1", f"/jobs/{job_id}/events?format=json"):
        answer = target.client.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert "x-evil" not in answer.headers
        assert not {0x0D, 0x0A, 0x1B} & set(answer.content)
    stream = target.client.get(f"/jobs/{job_id}/events")
    found = list(messages(stream))
    assert [message.event for message in found] == ["created", "ended"]
    assert found[0].data["data"]["name"] == EVIL_NAME
    for value in ("a\r\nX-Evil: 1", "\x1b[31m"):
        answer = target.client.get("/jobs", params={value: "1"})
        assert answer.status_code == 400
        assert "x-evil" not in answer.headers
    target.check_unhurt()


REQUESTS = [
    b"GET /jobs HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    b"GET /jobs?" + b"a=1&" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /jobs HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(20_000)) + b"\r\n",
    b"GET /" + b"a/" * 30_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x00" * 100_000,
    b"GET /jobs HTTP/9.9\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]  # fmt: skip


@pytest.mark.parametrize("request_bytes", REQUESTS, ids=lambda value: repr(value[:20]))
def test_what_is_hardly_http(target: Target, request_bytes: bytes) -> None:
    with target.connect() as connection:
        try:
            connection.sendall(request_bytes)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(1000)
        except OSError:
            answer = b""  # it hung up, as it may
    assert answer == b"" or answer.split()[1][:1] in {b"2", b"4"}
    target.check_unhurt()


def test_a_thousand_event_streams(target: Target) -> None:
    """All are served, and meanwhile everybody else is; then half are cut and half are left open for the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * STREAMS:  # the api keeps some for itself, and streams leave some to others
        pytest.skip(f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, STREAMS + 200), hard))  # of this process; the api does so too
    jobs = [target.service.create() for _ in range(20)]

    async def attack() -> None:
        opened = await asyncio.gather(*(_open(target.service.port, jobs[n % 20]) for n in range(STREAMS)))
        assert all(first.startswith(b"HTTP/1.1 200 ") for _, _, first in opened)
        for job_id in jobs:
            answer = await asyncio.to_thread(target.client.get, f"/jobs/{job_id}")
            assert answer.status_code == 200
        await asyncio.to_thread(target.service.create)
        await asyncio.to_thread(target.client.post, f"/jobs/{jobs[0]}/cancel")
        ends = await asyncio.gather(*(reader.readuntil(b"event: ended") for reader, _, _ in opened[::20]))
        assert len(ends) == STREAMS // 20
        for _, writer, _ in opened:
            writer.transport.abort()

    asyncio.run(attack())
    target.check_unhurt()


async def _open(port: int, job_id: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /jobs/{job_id}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode())
    return reader, writer, await reader.readline()


def _objects(folder: Path) -> None:
    np.save(folder / "array.npy", np.array([{"code": 1}], dtype=object), allow_pickle=True)
    content = (folder / "array.npy").read_bytes()
    with zipfile.ZipFile(folder / "mine.npz", "w") as archive:
        for name in arrays.NAMES:
            archive.writestr(f"{name}.npy", content)


def _claims_a_terabyte(folder: Path) -> None:
    with zipfile.ZipFile(folder / "mine.npz", "w") as archive:
        for name in arrays.NAMES:
            archive.writestr(f"{name}.npy", b"")
        archive.infolist()[0].file_size = 2**40


def _unpacks_to_a_terabyte(folder: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776, 4, 4), }".ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(MIB)
    with zipfile.ZipFile(folder / "mine.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in arrays.NAMES:
            archive.writestr(f"{name}.npy", content)


def _climbs_out(folder: Path) -> None:
    with zipfile.ZipFile(folder / "mine.npz", "w") as archive:
        for name in arrays.NAMES:
            archive.writestr(f"../../{name}.npy", b"x")


@pytest.mark.parametrize("write", [_objects, _claims_a_terabyte, _unpacks_to_a_terabyte, _climbs_out])
def test_archives_of_arrays(tmp_path: Path, write: Callable[[Path], None]) -> None:
    """No object is made of what they hold, nothing is written, and their claims are not believed."""
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError):
        arrays.read(folder, ArraysParams(path="mine.npz"), None)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "content", [struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 2**64 - 1), b"", b"\x80\x04K\x01."]
)
def test_weights_with_a_header_of_any_size(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "mine.safetensors").write_bytes(content)
    with pytest.raises(DataError):
        WeightsFolder(tmp_path).given("mine.safetensors")
