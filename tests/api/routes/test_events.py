"""A job's events as a stream."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from api.streaming import event_stream
from distillery.states import EndReason
from jobs.settings import Settings
from tests.api.conftest import Service, serving
from tests.api.following import STREAM, ids, messages, until, waiting


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Service]:
    """An api that no other test uses, with room for three streams."""
    with serving(Settings(home=tmp_path, broker_url="memory://", max_streams=3)) as running:
        yield running


@pytest.fixture(scope="module")
def ended(service: Service) -> str:
    job_id = service.create(name="two\nlines")
    token = service.start(job_id)
    service.train(job_id, token)
    service.end(job_id, EndReason.COMPLETED, token)
    return job_id


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*", "text/event-stream, application/json;q=0.5"])
def test_all_events_of_an_ended_job_and_then_the_end(service: Service, ended: str, accept: str) -> None:
    with service.client.stream("GET", f"/jobs/{ended}/events", headers={"Accept": accept}) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        found = list(messages(answer))
    page = service.client.get(f"/jobs/{ended}/events?format=json").json()["events"]
    assert [message.data for message in found] == page
    assert [(message.id, message.event) for message in found] == [(row["seq"], row["type"]) for row in page]
    assert found[-1].event == "ended"


def test_it_tells_when_to_come_again(service: Service, ended: str) -> None:
    assert service.client.get(f"/jobs/{ended}/events").text.startswith("retry: 2000\n\nid: 1\n")


def test_it_goes_on_after_the_last_event_that_was_seen(service: Service, ended: str) -> None:
    assert ids(service, ended, **{"Last-Event-ID": "2"}) == [3, 4, 5, 6]
    query = f"/jobs/{ended}/events?after=1"
    assert next(message.id for message in messages(service.client.get(query, headers=STREAM))) == 2
    both = service.client.get(query, headers=STREAM | {"Last-Event-ID": "5"})
    assert [message.id for message in messages(both)] == [6]


@pytest.mark.parametrize("last", ["6", "7", "999999999999999999"])
def test_nothing_more_will_come(service: Service, ended: str, last: str) -> None:
    """204 is what stops an EventSource from asking again for ever."""
    answer = service.client.get(f"/jobs/{ended}/events", headers=STREAM | {"Last-Event-ID": last})
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("last", ["-1", "x", "1.5", "9" * 19, "%00", "1 2"])
def test_an_id_that_is_none(service: Service, ended: str, last: str) -> None:
    answer = service.client.get(f"/jobs/{ended}/events", headers=STREAM | {"Last-Event-ID": last})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "Last-Event-ID")


def test_events_come_as_they_happen(service: Service) -> None:
    job_id = service.create()
    with service.client.stream("GET", f"/jobs/{job_id}/events", headers=STREAM) as answer:
        found = messages(answer)
        assert next(found).event == "created"
        token = service.start(job_id)
        assert next(found).event == "claimed"
        service.train(job_id, token)
        assert [next(found).event for _ in range(3)] == ["epoch_end"] * 3
        service.end(job_id, EndReason.COMPLETED, token)
        assert [message.event for message in found] == ["ended"]


def test_cut_again_and_again_by_clients_and_by_restarts(tmp_path: Path) -> None:
    """Ids gapless, none twice, however often the stream or the whole api ends."""
    settings = Settings(home=tmp_path, broker_url="memory://")
    seen: list[int] = []
    with serving(settings) as service:
        job_id = service.create()
    for cut in range(6):
        with serving(settings) as service:
            if cut in {1, 3}:
                token = service.start(job_id)
                service.train(job_id, token)
                with service.context.database.write() as repository:
                    repository.hand_back(job_id, token, "as the test wishes")
            if cut == 5:
                service.end(job_id, EndReason.COMPLETED)
            headers = STREAM | ({"Last-Event-ID": str(seen[-1])} if seen else {})
            with service.client.stream("GET", f"/jobs/{job_id}/events", headers=headers) as answer:
                taken = messages(answer)
                total = service.context.database.snapshot(job_id)[0].last_event
                while len(seen) < total and (cut == 5 or len(seen) < 3 * cut + 1):
                    seen.append(next(taken).id)
    assert seen == list(range(1, total + 1))
    assert total > 8


def test_a_silent_stream_is_kept_alive(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_SECONDS", 0.01)
    job_id = service.create()
    with service.client.stream("GET", f"/jobs/{job_id}/events", headers=STREAM) as answer:
        comments = (line for line in answer.iter_lines() if line.startswith(":"))
        assert [next(comments) for _ in range(3)] == [": still here"] * 3


def test_a_stream_ends_when_its_job_is_deleted(service: Service) -> None:
    job_id = service.create()
    with service.client.stream("GET", f"/jobs/{job_id}/events", headers=STREAM) as answer:
        found = messages(answer)
        assert next(found).event == "created"
        until(lambda: waiting(service, job_id) == 1)
        with service.context.database.write() as repository:
            repository.request_cancel(job_id)
            repository.delete(job_id)
        assert list(found) == []


def test_many_streams_hold_no_thread_and_share_one_query(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """More streams than the api has threads (40) or connections (40), on as many jobs."""
    asked: list[int] = []
    change_notifier = service.context.change_notifier
    real = change_notifier._versions

    def versions(job_ids: list[str]) -> dict[str, int]:
        asked.append(len(job_ids))
        return real(job_ids)

    monkeypatch.setattr(change_notifier, "_versions", versions)
    jobs = [service.create() for _ in range(60)]
    with ExitStack() as stack, httpx.Client(
        base_url=service.client.base_url, timeout=30, limits=httpx.Limits(max_connections=None)
    ) as many:  # fmt: skip
        for job_id in jobs:
            stack.enter_context(many.stream("GET", f"/jobs/{job_id}/events", headers=STREAM))
        until(lambda: all(waiting(service, job_id) for job_id in jobs))
        until(lambda: 60 in asked)
        assert max(asked) >= 60
        assert service.client.get(f"/jobs/{jobs[0]}").status_code == 200
    until(lambda: not any(waiting(service, job_id) for job_id in jobs))


def test_streams_of_one_job_share_a_read(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    real = event_stream._read

    def read(context: Any, job_id: str, after: int) -> Any:
        reads.append(after)
        return real(context, job_id, after)

    job_id = service.create()
    with ExitStack() as stack:
        opened = [
            stack.enter_context(service.client.stream("GET", f"/jobs/{job_id}/events", headers=STREAM))
            for _ in range(8)
        ]
        found = [messages(answer) for answer in opened]
        assert [next(taken).id for taken in found] == [1] * 8
        until(lambda: waiting(service, job_id) == 8)
        monkeypatch.setattr(event_stream, "_read", read)
        service.start(job_id)
        assert [next(taken).id for taken in found] == [2] * 8
    assert reads == [1]


def test_too_many_streams(own: Service) -> None:
    job_id = own.create()
    with ExitStack() as stack:
        for _ in range(3):
            answer = stack.enter_context(own.client.stream("GET", f"/jobs/{job_id}/events", headers=STREAM))
            assert answer.status_code == 200
        for path in (f"/jobs/{job_id}/events", f"/jobs/{job_id}?wait=5"):
            refused = own.client.get(path)
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
            assert int(refused.headers["retry-after"]) > 0
        assert own.client.get(f"/jobs/{job_id}").status_code == 200
    until(lambda: own.context.change_notifier.open == 0)
    own.client.post(f"/jobs/{job_id}/cancel")
    assert ids(own, job_id) == [1, 2]


def test_open_streams_end_with_the_server(tmp_path: Path) -> None:
    seen: list[str] = []
    opened = threading.Event()

    def follow(url: httpx.URL) -> None:
        with httpx.stream("GET", url, headers=STREAM, timeout=60) as answer:
            opened.set()
            seen.extend(message.event for message in messages(answer))
        seen.append("closed")

    with serving(Settings(home=tmp_path, broker_url="memory://")) as service:
        job_id = service.create()
        thread = threading.Thread(target=follow, args=(service.client.base_url.join(f"/jobs/{job_id}/events"),))
        thread.start()
        assert opened.wait(30)
        until(lambda: waiting(service, job_id) == 1)
    thread.join(30)
    assert seen == ["created", "closed"]


@pytest.mark.parametrize("part", ["watching", "reading"])
def test_a_stream_outlives_an_outage_of_the_database(
    service: Service, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    failed = threading.Event()

    def away(*arguments: object) -> Any:
        failed.set()
        raise OperationalError("SELECT", {}, Exception("away"))

    job_id = service.create()
    with service.client.stream("GET", f"/jobs/{job_id}/events", headers=STREAM) as answer:
        found = messages(answer)
        assert next(found).event == "created"
        with monkeypatch.context() as broken:
            if part == "watching":
                broken.setattr(service.context.change_notifier, "_versions", away)
            else:
                broken.setattr(event_stream, "_read", away)
                broken.setattr(event_stream, "_RETRY_MS", 10)
            service.start(job_id)
            assert failed.wait(30)
        assert next(found).event == "claimed"


def test_a_page_as_json_is_no_stream(service: Service) -> None:
    job_id = service.create()
    answer = service.client.get(f"/jobs/{job_id}/events", headers={"Accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    assert [row["seq"] for row in json.loads(answer.text)["events"]] == [1]
