"""What is on its way counts in its owner's quota: many files at once go beyond it together no more than one does."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import MakeSettings, Service, serving
from tests.kd_engine.intake.archives import by_class, zipped

LIMIT = 1000


@pytest.fixture
def limited(make_settings: MakeSettings) -> Iterator[Service]:
    with serving(make_settings(quota_bytes=LIMIT, quota_uploads=3)) as service:
        yield service


def _begin(service: Service) -> str:
    answer = service.client.post("/uploads")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _part(service: Service, upload: str, offset: int, content: Any) -> Any:
    return service.client.patch(f"/uploads/{upload}", content=content, headers={"Upload-Offset": str(offset)})


def _used(service: Service) -> tuple[int, int, int]:
    usage = service.client.get("/usage").json()
    return usage["bytes"], usage["uploads"], usage["upload_bytes"]


@contextmanager
def _sending(service: Service, method: str, path: str, announced: int) -> Iterator[None]:
    """A request that announces so many bytes, sends one, and breaks off when the block ends."""
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpload-Offset: 0\r\nContent-Length: {announced}\r\n\r\n"
        connection.sendall(head.encode() + b"x")
        _until(service, lambda used: used[2] >= announced)
        yield


def _until(service: Service, condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition(used := _used(service)):
        assert time.monotonic() < deadline, used
        time.sleep(0.01)


def test_parts_count_until_they_are_given_up(limited: Service) -> None:
    first, second = _begin(limited), _begin(limited)
    assert _part(limited, first, 0, bytes(600)).status_code == 200
    assert _used(limited) == (600, 2, 600)
    for answer in (
        _part(limited, second, 0, bytes(401)),
        _part(limited, first, 600, bytes(401)),
        limited.client.post("/datasets", content=bytes(401)),
        limited.client.post("/models", params={"dataset": "digits"}, content=bytes(401)),
    ):
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["quota"]) == (429, "over_quota", "bytes")
        assert problem["limit"] == LIMIT
    assert _used(limited) == (600, 2, 600)
    assert _part(limited, second, 0, bytes(400)).status_code == 200
    assert limited.client.delete(f"/uploads/{first}").status_code == 204
    assert _used(limited) == (400, 1, 400)


@pytest.mark.parametrize("way", ["in parts", "in one"])
def test_what_is_announced_is_reserved_until_it_breaks_off(limited: Service, way: str) -> None:
    second = _begin(limited)
    path = f"/uploads/{_begin(limited)}" if way == "in parts" else "/datasets"
    with _sending(limited, "PATCH" if way == "in parts" else "POST", path, 700):
        assert _part(limited, second, 0, bytes(301)).json()["code"] == "over_quota"
        assert limited.client.post("/datasets", content=bytes(301)).json()["code"] == "over_quota"
        assert _part(limited, second, 0, bytes(300)).status_code == 200
    arrived = 1 if way == "in parts" else 0
    _until(limited, lambda used: used == (300 + arrived, 1 + arrived, 300 + arrived))
    assert _part(limited, second, 300, bytes(700 - arrived)).status_code == 200


def test_a_body_of_unknown_length_ends_at_the_quota(limited: Service) -> None:
    first, second = _begin(limited), _begin(limited)
    assert _part(limited, first, 0, iter([bytes(300)])).status_code == 200
    assert _used(limited) == (300, 2, 300)
    endless = (bytes(100) for _ in range(1000))
    answer = _part(limited, second, 0, endless)
    assert (answer.status_code, answer.json()["code"]) == (429, "over_quota")
    total, _, _ = _used(limited)
    assert 300 <= total <= LIMIT


def test_so_many_are_on_their_way(limited: Service) -> None:
    opened = [_begin(limited) for _ in range(3)]
    for answer in (limited.client.post("/uploads"), limited.client.post("/datasets", content=b"x")):
        problem = answer.json()
        assert (answer.status_code, problem["quota"], problem["used"], problem["limit"]) == (429, "uploads", 3, 3)
    limited.client.delete(f"/uploads/{opened[0]}")
    _begin(limited)


@pytest.mark.parametrize("way", ["in parts", "in one"])
def test_a_file_that_fills_the_quota_is_taken_and_counts_once(
    make_settings: MakeSettings, tmp_path: Path, way: str
) -> None:
    archive = zipped(tmp_path / "a.zip", by_class(3)).read_bytes()
    with serving(make_settings(quota_bytes=len(archive))) as service:
        if way == "in parts":
            upload = _begin(service)
            _part(service, upload, 0, archive)
            answer = service.client.post("/datasets", params={"upload": upload})
        else:
            assert service.client.post("/datasets", content=b"junk").status_code == 415
            answer = service.client.post("/datasets", content=archive)
        assert answer.status_code == 201, answer.text
        assert _used(service) == (len(archive), 0, 0)


def test_what_is_on_its_way_is_listed_newest_first_by_pages(limited: Service) -> None:
    first, second, third = (_begin(limited) for _ in range(3))
    _part(limited, second, 0, bytes(10))
    page = limited.client.get("/uploads", params={"page_size": 2}).json()
    assert [(row["id"], row["bytes"]) for row in page["uploads"]] == [(third, 0), (second, 10)]
    rest = limited.client.get("/uploads", params={"page_size": 2, "page_token": page["next_page_token"]}).json()
    assert ([row["id"] for row in rest["uploads"]], rest["next_page_token"]) == ([first], None)
    limited.client.delete(f"/uploads/{third}")
    with _sending(limited, "POST", "/datasets", 700):
        assert [row["id"] for row in limited.client.get("/uploads").json()["uploads"]] == [second, first]
