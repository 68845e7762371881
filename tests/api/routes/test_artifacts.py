from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillery.resources import ArtifactList
from distillery.states import EndReason, JobState
from jobs.artifacts import ArtifactInfo
from jobs.settings import Settings
from tests.api.conftest import Service, serving
from tests.s3 import S3Server, known
from tests.stores import damage

CONTENT = random.Random(0).randbytes(2**20 + 12_345)  # more than one piece of the response
SHA256 = hashlib.sha256(CONTENT).hexdigest()
REPORT = json.dumps({"verdict": "it helps"}).encode()


@dataclass(frozen=True)
class Finished:
    """A succeeded job with three files."""

    service: Service
    job_id: str

    @property
    def url(self) -> str:
        return f"/jobs/{self.job_id}/artifacts/student.safetensors"

    def get(self, **headers: str) -> httpx.Response:
        return self.service.client.get(self.url, headers={key.replace("_", "-"): row for key, row in headers.items()})


@pytest.fixture(scope="module", params=["local", "s3"])
def service(
    request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """One whose files lie in a folder, and one whose files lie in a bucket, in turn."""
    if request.param == "local":
        yield service
        return
    server: S3Server = request.getfixturevalue("s3_server")
    home = tmp_path_factory.mktemp("home")
    with known(server.url):
        settings = Settings(home=home, broker_url="memory://", page_size_max=20, artifacts_url=server.new_bucket())
        with serving(settings) as running:
            yield running


@pytest.fixture(scope="module")
def finished(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("artifacts")
    job_id = service.create()
    token = service.start(job_id)
    for name, content in (
        ("student.safetensors", CONTENT),
        ("report.json", REPORT),
        ("tensorboard/student/events.1", b""),
    ):
        service.publish(job_id, token, name, content, folder)
    service.end(job_id, EndReason.COMPLETED, token)
    return Finished(service, job_id)


def test_the_list_tells_size_and_sha256_of_each_file(finished: Finished) -> None:
    answer = finished.service.client.get(f"/jobs/{finished.job_id}/artifacts")
    files = {row.name: row for row in ArtifactList.model_validate(answer.json()).artifacts}
    assert set(files) == {"student.safetensors", "report.json", "tensorboard/student/events.1"}
    student = files["student.safetensors"]
    assert (student.size, student.sha256, student.kind) == (len(CONTENT), SHA256, "result")
    for row in files.values():
        assert len(finished.service.client.get(row.href).content) == row.size


def test_checkpoints_are_not_for_readers(service: Service, tmp_path: Path) -> None:
    job_id = service.create()
    token = service.start(job_id)
    info = ArtifactInfo("last.ckpt", "checkpoint", "application/octet-stream", 1, "0" * 64, f"{job_id}/1/last.ckpt")
    with service.context.database.write() as repository:
        repository.list_artifact(job_id, token, info)
    assert service.client.get(f"/jobs/{job_id}/artifacts").json() == {"artifacts": []}
    assert service.client.get(f"/jobs/{job_id}/artifacts/last.ckpt").status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_download_brings_its_checksum_and_a_name(finished: Finished, method: str) -> None:
    answer = finished.service.client.request(method, finished.url)
    assert answer.status_code == 200
    assert answer.content == (CONTENT if method == "GET" else b"")
    wanted = {
        "content-length": str(len(CONTENT)),
        "content-type": "application/octet-stream",
        "content-disposition": 'attachment; filename="student.safetensors"',
        "etag": f'"{SHA256}"',
        "repr-digest": f"sha-256=:{base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()}:",
        "accept-ranges": "bytes",
        "x-content-type-options": "nosniff",
    }
    assert wanted.items() <= dict(answer.headers).items()


def test_a_file_in_a_folder_is_offered_under_its_own_name(finished: Finished) -> None:
    answer = finished.service.client.head(f"/jobs/{finished.job_id}/artifacts/tensorboard/student/events.1")
    assert answer.headers["content-disposition"] == 'attachment; filename="events.1"'


def test_a_name_with_odd_characters_cannot_break_the_header(service: Service, tmp_path: Path) -> None:
    job_id = service.create()
    token = service.start(job_id)
    plain = service.publish(job_id, token, "plain.txt", b"x", tmp_path)
    name = 'a"b; filename=c é.txt'
    odd = ArtifactInfo(name, "result", plain.media_type, plain.size, plain.sha256, plain.key)
    with service.context.database.write() as repository:
        repository.list_artifact(job_id, token, odd)
    answer = service.client.get(httpx.URL(service.client.base_url.join("/"), path=f"/jobs/{job_id}/artifacts/{name}"))
    message = Message()
    message["content-disposition"] = answer.headers["content-disposition"]
    assert (answer.status_code, message.get_filename()) == (200, name)


@pytest.mark.parametrize("tag", [f'"{SHA256}"', f'W/"{SHA256}"', f'"x", "{SHA256}"', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_caller_has_is_not_sent_again(finished: Finished, tag: str, method: str) -> None:
    answer = finished.service.client.request(method, finished.url, headers={"If-None-Match": tag, "Range": "bytes=0-1"})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", f'"{SHA256}"')


LAST = len(CONTENT) - 1


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=5-99", 5, 99),
        ("bytes=1048000-1049000", 1048000, 1049000),
        ("bytes=100-", 100, LAST),
        ("bytes=-7", LAST - 6, LAST),
        ("bytes=0-99999999999", 0, LAST),
        (f"bytes={LAST}-", LAST, LAST),
        ("bytes=-999999999", 0, LAST),
        ("Bytes = 2-4", 2, 4),
        ("bytes=2-4, 3-9, 10-12", 2, 12),
        ("bytes=5-6,99999999-", 5, 6),
    ],
)
def test_one_range(finished: Finished, asked: str, first: int, last: int) -> None:
    answer = finished.get(Range=asked)
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(CONTENT)}"
    assert answer.content == CONTENT[first : last + 1]
    assert answer.headers["etag"] == f'"{SHA256}"'


def test_several_ranges_come_in_parts(finished: Finished) -> None:
    answer = finished.get(Range="bytes=0-3, 1000-1999,-5")
    assert answer.status_code == 206
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(head + answer.content).get_payload()
    assert isinstance(parts, list)
    assert [part["content-range"] for part in parts if isinstance(part, Message)] == [
        f"bytes 0-3/{len(CONTENT)}",
        f"bytes 1000-1999/{len(CONTENT)}",
        f"bytes {LAST - 4}-{LAST}/{len(CONTENT)}",
    ]
    for piece in (CONTENT[:4], CONTENT[1000:2000], CONTENT[-5:]):
        assert b"\r\n\r\n" + piece + b"\r\n--" in answer.content


@pytest.mark.parametrize(
    "asked",
    ["bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=0-1,x", "bytes=--1", "items=0-1", "0-1",
     "bytes=0x1-2", "bytes=" + "9" * 40 + "-", "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 9000, 2))],
)  # fmt: skip
def test_a_range_that_makes_no_sense_or_too_many_get_the_whole_file(finished: Finished, asked: str) -> None:
    answer = finished.get(Range=asked)
    assert (answer.status_code, answer.content) == (200, CONTENT)


@pytest.mark.parametrize("asked", [f"bytes={len(CONTENT)}-", "bytes=-0", "bytes=9999999-99999999,8888888-"])
def test_a_range_outside_the_file(finished: Finished, asked: str) -> None:
    answer = finished.get(Range=asked)
    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


def test_an_empty_file_has_no_ranges(finished: Finished) -> None:
    url = f"/jobs/{finished.job_id}/artifacts/tensorboard/student/events.1"
    assert finished.service.client.get(url).content == b""
    assert finished.service.client.get(url, headers={"Range": "bytes=0-"}).status_code == 416


def test_a_range_of_head_is_ignored(finished: Finished) -> None:
    answer = finished.service.client.head(finished.url, headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(CONTENT)))


@pytest.mark.parametrize(
    ("if_range", "status"),
    [(f'"{SHA256}"', 206), (f'W/"{SHA256}"', 200), ('"other"', 200), ("Thu, 01 Jan 1970 00:00:00 GMT", 200)],
)
def test_a_range_only_if_the_file_is_still_the_same(finished: Finished, if_range: str, status: int) -> None:
    answer = finished.get(Range="bytes=10-19", If_Range=if_range)
    assert answer.status_code == status
    assert answer.content == (CONTENT[10:20] if status == 206 else CONTENT)


def test_an_outdated_range_outside_the_file_gets_the_new_file(finished: Finished) -> None:
    assert finished.get(Range=f"bytes={2 * len(CONTENT)}-", If_Range='"older"').status_code == 200


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, LAST), min_size=1, max_size=5, unique=True))
def test_a_download_that_is_cut_and_resumed_is_the_same_file(finished: Finished, cuts: list[int]) -> None:
    pieces = []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(CONTENT)], strict=True):
        pieces.append(finished.get(Range=f"bytes={start}-{end - 1}", If_Range=f'"{SHA256}"').content)
    assert hashlib.sha256(b"".join(pieces)).hexdigest() == SHA256


NAMES = [
    "../report.json", "..%2freport.json", "%2e%2e/report.json", "%2e%2e%2freport.json", "%252e%252e/report.json",
    "../../../../../../etc/passwd", "..%2f..%2f..%2f..%2fetc%2fpasswd", "/etc/passwd", "%2fetc%2fpasswd",
    "report.json%00", "report.json%00.png", "report.json%0d%0aX-Evil:1", "./report.json", "report.json/", "report",
    "REPORT.JSON", "student.safetensors.part", "", "%", "%zz", "tensorboard", "tensorboard/", "%5c..%5creport.json",
    "%ff", "x" * 300,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_looked_up_and_never_a_path(finished: Finished, name: str) -> None:
    with closing(HTTPConnection("127.0.0.1", finished.service.port, timeout=30)) as connection:
        connection.request("GET", f"/jobs/{finished.job_id}/artifacts/{name}")  # this client sends a path as it is
        answer = connection.getresponse()
        problem = json.load(answer)
    assert answer.status == 404
    assert problem["code"] in {"artifact_not_found", "not_found"}  # the latter where no route takes a line break
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-evil"] is None


def test_the_folder_of_a_sibling_job_is_out_of_reach(service: Service, finished: Finished) -> None:
    sibling = service.create()
    for name in (f"..%2f..%2f{finished.job_id}%2f1%2freport.json", f"{finished.job_id}/1/report.json"):
        answer = service.client.get(f"/jobs/{sibling}/artifacts/{name}")
        assert answer.status_code == 404


def test_the_report(finished: Finished) -> None:
    answer = finished.service.client.get(f"/jobs/{finished.job_id}/report")
    assert (answer.status_code, answer.content) == (200, REPORT)
    assert answer.headers["content-type"] == "application/json"
    etag = answer.headers["etag"]
    again = finished.service.client.get(f"/jobs/{finished.job_id}/report", headers={"If-None-Match": etag})
    assert again.status_code == 304


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_no_report_before_the_end(service: Service, state: JobState) -> None:
    answer = service.client.get(f"/jobs/{service.job_in(state)}/report")
    assert (answer.status_code, answer.json()["code"], answer.json()["state"]) == (409, "not_finished", state)


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_no_report_of_a_job_that_ended_early(service: Service, state: JobState) -> None:
    answer = service.client.get(f"/jobs/{service.job_in(state)}/report")
    assert (answer.status_code, answer.json()["code"], answer.json()["state"]) == (404, "report_not_found", state)


def test_deleting_a_job_removes_its_files(service: Service, tmp_path: Path) -> None:
    job_id = service.create()
    token = service.start(job_id)
    key = service.publish(job_id, token, "a.txt", b"a", tmp_path).key
    service.end(job_id, EndReason.COMPLETED, token)
    assert key in service.files()
    assert service.client.delete(f"/jobs/{job_id}").status_code == 204
    assert key not in service.files()
    assert service.client.get(f"/jobs/{job_id}/artifacts/a.txt").json()["code"] == "job_not_found"


def test_a_file_that_is_gone_or_changed_is_not_served(service: Service, tmp_path: Path) -> None:
    job_id = service.create()
    key = service.publish(job_id, service.start(job_id), "a.txt", b"abc", tmp_path).key
    damage(service.context.store, key, b"abcd")
    answer = service.client.get(f"/jobs/{job_id}/artifacts/a.txt")
    assert (answer.status_code, answer.json()["code"]) == (500, "artifact_damaged")
    service.context.store.delete(key)
    answer = service.client.get(f"/jobs/{job_id}/artifacts/a.txt")
    assert (answer.status_code, answer.json()["code"]) == (404, "artifact_not_found")
    assert key.partition("/")[2] not in answer.text


@pytest.mark.parametrize(
    ("method", "below"), [("GET", "artifacts/report.json"), ("HEAD", "artifacts/report.json"), ("GET", "report")]
)
def test_only_if_the_file_is_the_one_that_is_meant(finished: Finished, method: str, below: str) -> None:
    """RFC 9110, sections 13.1.1 and 13.1.4; If-Match comes first, weak tags never match."""
    url = f"/jobs/{finished.job_id}/{below}"
    client = finished.service.client
    first = client.get(url)
    etag, modified = first.headers["etag"], first.headers["last-modified"]
    earlier, later = "Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    for headers, status in (
        ({"If-Match": etag}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": f'"other", {etag}'}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": f"W/{etag}"}, 412),
        ({"If-Match": etag.strip('"')}, 412),
        ({"If-Match": '"other"', "If-None-Match": etag}, 412),
        ({"If-Match": etag, "If-None-Match": etag}, 304),
        ({"If-Match": etag, "If-Unmodified-Since": earlier}, 200),
        ({"If-Unmodified-Since": earlier}, 412),
        ({"If-Unmodified-Since": modified}, 200),
        ({"If-Unmodified-Since": later}, 200),
        ({"If-Unmodified-Since": "yesterday"}, 200),
        ({"If-Unmodified-Since": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, 200),
    ):
        answer = client.request(method, url, headers=headers)
        assert answer.status_code == status, headers
