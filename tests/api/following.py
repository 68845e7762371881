"""Reads event streams."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.api.conftest import Service

PATIENCE = 30.0  # seconds; only a failing test waits so long
STREAM = {"Accept": "text/event-stream"}


@dataclass
class Message:
    """One event of a stream."""

    id: int
    event: str
    data: dict[str, Any]


def messages(answer: httpx.Response) -> Iterator[Message]:
    """The events of a stream as they come, until it ends."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line and "id" in fields:
            yield Message(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}


def ids(service: Service, job_id: str, **headers: str) -> list[int]:
    """The numbers of all events in a stream, which must end by itself."""
    with service.client.stream("GET", f"/jobs/{job_id}/events", headers=STREAM | headers) as answer:
        assert answer.status_code == 200
        return [message.id for message in messages(answer)]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def waiting(service: Service, job_id: str) -> int:
    """How many wait for a change of this job."""
    return len(service.context.change_notifier._waiters.get(job_id, ()))
