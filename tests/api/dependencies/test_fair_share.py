"""Places are shared: nobody takes all of them from the others, whoever comes first."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from api.dependencies.fair_share import FairShare
from api.http.errors import Problem
from jobs.auth import Scope, new_key
from jobs.settings import Settings
from tests.api.conftest import Service, serving
from tests.api.following import STREAM, until


def take(stack: ExitStack, places: FairShare, owner: str) -> int:
    """As many as the owner gets."""
    count = 0
    with suppress(Problem):
        while True:
            stack.enter_context(places.place(owner))
            count += 1
    return count


def make(most: int, *, shared: bool) -> FairShare:
    return FairShare(most, shared=shared, what="streams", setting="KD_MAX_STREAMS", code="too_many_streams")


def test_one_who_is_alone_may_have_all() -> None:
    places = make(10, shared=False)
    with ExitStack() as stack:
        assert take(stack, places, "a") == 10
        assert places.taken == 10
    assert places.taken == 0


@pytest.mark.parametrize("most", [1, 2, 3, 10, 1000])
def test_who_comes_later_finds_some_as_long_as_there_are_any(most: int) -> None:
    places = make(most, shared=True)
    with ExitStack() as stack:
        left = most
        for owner in "abcdef":
            got = take(stack, places, owner)
            assert got == (left + 1) // 2
            left -= got
    assert places.taken == 0


def test_a_place_given_back_is_anothers() -> None:
    places = make(2, shared=True)
    with ExitStack() as others, places.place("a"):
        assert take(others, places, "a") == 0
        assert take(others, places, "b") == 1
        with pytest.raises(Problem), places.place("c"):
            pass
    with places.place("c"), suppress(Problem), places.place("c"):
        pytest.fail("half is the most")


@dataclass
class Two:
    """Two owners of one service with four places of each kind."""

    service: Service
    greedy: httpx.Client
    other: httpx.Client
    key: str


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    keys = [new_key(owner, [Scope.READ, Scope.SUBMIT]) for owner in ("greedy", "other")]
    settings = Settings(
        home=tmp_path_factory.mktemp("home"), broker_url="memory://", api_keys=[entry for _, entry in keys],
        max_streams=4, max_uploads=4, max_downloads=4,
    )  # fmt: skip
    with serving(settings) as service, service.caller(keys[0][0]) as greedy, service.caller(keys[1][0]) as other:
        yield Two(service, greedy, other, keys[0][0])


def _create(client: httpx.Client) -> str:
    spec = {"dataset": "digits", "teacher": "mlp", "student": "softmax_regression"}
    return str(client.post("/jobs", json=spec).json()["id"])


def test_streams(two: Two) -> None:
    mine, theirs = _create(two.greedy), _create(two.other)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(two.greedy.stream("GET", f"/jobs/{mine}/events", headers=STREAM))
        for path in (f"/jobs/{mine}/events", f"/jobs/{mine}?wait=5"):
            refused = two.greedy.get(path)
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
            assert "for others" in refused.json()["detail"]
        opened = stack.enter_context(two.other.stream("GET", f"/jobs/{theirs}/events", headers=STREAM))
        assert opened.status_code == 200
    until(lambda: two.service.context.change_notifier.open == 0)


def test_uploads(two: Two) -> None:
    """Those that do not go on still hold their places; others' go in."""
    head = (
        f"POST /datasets HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {two.key}\r\nContent-Length: 1000\r\n\r\n"
    )
    with ExitStack() as stack:
        for _ in range(2):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", two.service.port)))
            slow.sendall(head.encode())
        until(lambda: two.service.context.uploads.taken == 2)
        upload = two.greedy.post("/uploads").json()["id"]
        for refused in (
            two.greedy.post("/datasets", content=b"x"),
            two.greedy.post("/datasets", params={"upload": upload}),
            two.greedy.patch(f"/uploads/{upload}", content=b"x", headers={"Upload-Offset": "0"}),
        ):
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_uploads")
            assert int(refused.headers["retry-after"]) > 0
        assert two.other.post("/datasets", content=b"x").json()["code"] == "unknown_format"
    until(lambda: two.service.context.uploads.taken == 0)


def test_downloads(two: Two, tmp_path: Path) -> None:
    job_id = _create(two.greedy)
    token = two.service.start(job_id)
    two.service.publish(job_id, token, "report.json", bytes(20_000_000), tmp_path)
    url = f"/jobs/{job_id}/artifacts/report.json"
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(two.greedy.stream("GET", url))
        until(lambda: two.service.context.downloads.taken == 2)
        for headers in ({}, {"Range": "bytes=0-1"}, {"Range": "bytes=0-1,5-6"}):
            refused = two.greedy.get(url, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_downloads")
        assert two.greedy.head(url).status_code == 200
    until(lambda: two.service.context.downloads.taken == 0)
    assert two.greedy.get(url).content == bytes(20_000_000)


@pytest.mark.parametrize("ranges", ["bytes=0-", "bytes=0-9999999,10000000-"])
def test_a_download_that_is_given_up_leaves_no_open_file(two: Two, tmp_path: Path, ranges: str) -> None:
    """Also before the garbage collector comes by, which would tell of a file that nobody closed."""
    job_id = _create(two.greedy)
    token = two.service.start(job_id)
    two.service.publish(job_id, token, "report.json", bytes(20_000_000), tmp_path)
    gc.disable()
    try:
        with two.greedy.stream("GET", f"/jobs/{job_id}/artifacts/report.json", headers={"Range": ranges}) as answer:
            pieces = answer.iter_bytes()
            while len(next(pieces)) < 1000:  # the head of a range comes before the file is opened
                pass
            assert _open_files(job_id) == 1
        until(lambda: _open_files(job_id) == 0)
    finally:
        gc.enable()


def _open_files(part: str) -> int:
    """How many files of this process are open whose path holds `part`."""
    names = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            names.append(str(link.readlink()))
    return sum(part in name for name in names)
