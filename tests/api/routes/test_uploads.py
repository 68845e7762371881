"""Files in parts: what arrived stays, nothing is written twice, and what is given up is gone."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import MakeSettings, Service, serving
from tests.kd_engine.intake.archives import by_class, zipped
from tests.kd_engine.intake.networks import linear_onnx
from tests.stores import on_both_stores

pytestmark = on_both_stores


@pytest.fixture
def service(own_service: Service) -> Service:
    return own_service


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    return zipped(tmp_path / "a.zip", by_class(3)).read_bytes()


def _begin(service: Service) -> str:
    answer = service.client.post("/uploads")
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/uploads/{answer.json()['id']}"
    assert answer.json()["offset"] == 0
    return str(answer.json()["id"])


def _part(service: Service, upload: str, offset: int, content: bytes) -> Any:
    return service.client.patch(f"/uploads/{upload}", content=content, headers={"Upload-Offset": str(offset)})


def _offset(service: Service, upload: str) -> int:
    answer = service.client.get(f"/uploads/{upload}")
    assert answer.headers["upload-offset"] == str(answer.json()["offset"])
    return int(answer.json()["offset"])


def test_parts_become_the_file(service: Service, archive: bytes) -> None:
    upload, cut = _begin(service), len(archive) // 3
    for start in (0, cut, 2 * cut):
        end = len(archive) if start == 2 * cut else start + cut
        answer = _part(service, upload, start, archive[start:end])
        assert (answer.status_code, answer.json()["offset"]) == (200, end)
        assert _offset(service, upload) == end
    answer = service.client.post("/datasets", params={"upload": upload})
    assert answer.status_code == 201, answer.text
    [stored] = service.files()
    assert service.content(stored) == archive
    assert service.client.get(f"/uploads/{upload}").json()["code"] == "upload_not_found"
    whole = service.client.post("/datasets", content=archive)
    assert (whole.status_code, whole.json()["id"]) == (200, answer.json()["id"])


def test_a_model_comes_in_parts_as_well(service: Service) -> None:
    content = linear_onnx(["N", 64])
    upload = _begin(service)
    _part(service, upload, 0, content)
    answer = service.client.post("/models", params={"upload": upload, "dataset": "digits"})
    assert answer.status_code == 201, answer.text


def test_a_part_that_begins_elsewhere_changes_nothing(service: Service) -> None:
    upload = _begin(service)
    _part(service, upload, 0, b"0123456789")
    for offset in (0, 5, 11):
        answer = _part(service, upload, offset, b"x")
        assert (answer.status_code, answer.json()["code"], answer.json()["offset"]) == (409, "wrong_offset", 10)
    assert _part(service, upload, 10, b"").json()["offset"] == 10


def test_an_offset_is_a_number(service: Service) -> None:
    upload = _begin(service)
    for offset in (None, "", "-1", "1.5", "ten", "9" * 19, "१"):
        headers = {} if offset is None else {"Upload-Offset": offset.encode()}
        answer = service.client.patch(f"/uploads/{upload}", content=b"x", headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "Upload-Offset"), offset


def test_what_came_before_a_break_stays(service: Service) -> None:
    upload = _begin(service)
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        head = (
            f"PATCH /uploads/{upload} HTTP/1.1\r\nHost: localhost\r\n"
            f"Upload-Offset: 0\r\nContent-Length: 20000000\r\n\r\n"
        )
        connection.sendall(head.encode() + b"a" * 9_000_000)
        deadline = time.monotonic() + 10
        while _offset(service, upload) < 8_000_000 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert _offset(service, upload) >= 8_000_000, "what has come counts already"
        busy = _part(service, upload, _offset(service, upload), b"b")
        assert (busy.status_code, busy.json()["code"]) == (409, "wrong_offset")
        assert service.client.post("/datasets", params={"upload": upload}).status_code == 409
    deadline = time.monotonic() + 10
    while _offset(service, upload) < 9_000_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _offset(service, upload) == 9_000_000
    answer = _part(service, upload, 9_000_000, b"b")
    while answer.status_code == 409 and time.monotonic() < deadline:  # the server has not noticed yet who left
        answer = _part(service, upload, 9_000_000, b"b")
    assert answer.json()["offset"] == 9_000_001


def test_what_is_of_no_format_is_gone_and_what_fails_otherwise_stays(service: Service, archive: bytes) -> None:
    upload = _begin(service)
    _part(service, upload, 0, archive)
    assert service.client.post("/models", params={"upload": upload, "dataset": "digts"}).status_code in (415, 422)
    upload = _begin(service)
    _part(service, upload, 0, linear_onnx(["N", 64]))
    assert service.client.post("/models", params={"upload": upload, "dataset": "digts"}).status_code == 422
    assert service.client.post("/models", params={"upload": upload, "dataset": "digits"}).status_code == 201
    junk = _begin(service)
    _part(service, junk, 0, b"junk")
    assert service.client.post("/datasets", params={"upload": junk}).status_code == 415
    assert service.client.get(f"/uploads/{junk}").status_code == 404
    assert not any(junk in name for name in service.files())


def test_a_file_that_finds_no_room_among_the_jobs_need_not_be_sent_twice(
    make_settings: MakeSettings, archive: bytes
) -> None:
    with serving(make_settings(quota_queued=1)) as service:
        job_id = service.create()
        upload = _begin(service)
        _part(service, upload, 0, archive)
        assert service.client.post("/datasets", params={"upload": upload}).json()["code"] == "over_quota"
        assert _offset(service, upload) == len(archive)
        service.client.post(f"/jobs/{job_id}/cancel")
        assert service.client.post("/datasets", params={"upload": upload}).status_code == 201


def test_a_part_that_says_it_is_too_large_is_not_read(make_settings: MakeSettings) -> None:
    with serving(make_settings(max_upload_bytes=100)) as service:
        upload = _begin(service)
        assert _part(service, upload, 0, bytes(101)).status_code == 413
        assert _offset(service, upload) == 0


def test_an_upload_without_a_part_is_no_file(service: Service) -> None:
    answer = service.client.post("/datasets", params={"upload": _begin(service)})
    assert answer.status_code == 409
    assert "Nothing has come" in answer.json()["detail"]


def test_limits_hold_for_all_parts_together(make_settings: MakeSettings) -> None:
    with serving(make_settings(max_upload_bytes=100)) as service:
        upload = _begin(service)
        assert _part(service, upload, 0, bytes(60)).status_code == 200
        answer = _part(service, upload, 60, bytes(60))
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_giving_up(service: Service) -> None:
    upload = _begin(service)
    _part(service, upload, 0, b"x")
    assert service.client.delete(f"/uploads/{upload}").status_code == 204
    assert service.files() == []
    assert service.client.delete(f"/uploads/{upload}").status_code == 404
    assert service.client.get("/uploads/up_..%2f..%2fx").status_code == 404


def test_what_is_forgotten_for_a_day_goes(service: Service) -> None:
    upload = _begin(service)
    _part(service, upload, 0, b"x")
    assert service.context.store.parts.clear(3600) == []
    assert service.context.store.parts.clear(-5) == [upload]  # the clock of a store is another one
