"""Access log: each request, for those who count them or write them down. Not there at all where nobody does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.ids import is_job_id
from jobs.telemetry import logs

log = logging.getLogger("api.access")

UNKNOWN = "unknown"
"""The route of paths that lead nowhere: whatever callers make up, it is one."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_READING = frozenset({"GET", "HEAD"})
_FILES = "/artifacts/{name:path}"
_JOBS = "/jobs/"


@dataclass(slots=True)
class Answered:
    """A request and its answer.

    Attributes:
        route: the path's pattern, with `?wait` where the caller asked to wait.
        seconds: until the answer began.
        file_bytes: of a job's file, that were sent.
    """

    method: str
    route: str
    status: int
    seconds: float
    file_bytes: int = 0


class AccessLog:
    """ASGI middleware.

    Args:
        heard: each is told of every request once its answer is over; they must be quick.
    """

    def __init__(self, app: ASGIApp, heard: Sequence[Callable[[Answered], None]]) -> None:
        self._app, self._heard = app, tuple(heard)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        seconds, status, sent = 0.0, 0, 0

        async def watched(message: Message) -> None:
            nonlocal seconds, status, sent
            if message["type"] == "http.response.start":
                seconds, status = time.perf_counter() - began, message["status"]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        with logs.bound(job_id=_job_id(scope["path"])):
            try:
                await self._app(scope, receive, watched)
            finally:
                route, is_file = _route(scope)
                answered = Answered(
                    method=scope["method"] if scope["method"] in _METHODS else UNKNOWN,
                    route=route,
                    # an error that nothing answered, which the server turns into a 500; or a caller that left
                    status=status or 500,
                    seconds=seconds or time.perf_counter() - began,
                    file_bytes=sent if is_file and status < 300 else 0,
                )
                for hear in self._heard:
                    hear(answered)


def write_down(request: Answered) -> None:
    """A log line for each request but those that only read and were served: polls would bury all others."""
    if request.method in _READING and request.status < 400:
        return
    with logs.bound(
        method=request.method, route=request.route, status=request.status, seconds=round(request.seconds, 6)
    ):
        log.info("%s %s: %d", request.method, request.route, request.status)


def _route(scope: Scope) -> tuple[str, bool]:
    """The pattern that the path matched, and whether a file of a job lies there."""
    path: str = getattr(scope.get("route"), "path", UNKNOWN)
    if b"wait=" in scope["query_string"] and path.startswith(_JOBS):
        path += "?wait"
    return path, path.endswith(_FILES)


def _job_id(path: str) -> str | None:
    if not path.startswith(_JOBS):
        return None
    name = path[len(_JOBS) :].partition("/")[0]
    return name if is_job_id(name) else None
