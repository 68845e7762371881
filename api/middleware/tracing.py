"""Takes up the trace of a request that makes a job, or begins one; the job's row, its log and its spans carry it on."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.dependencies.context import Context
from jobs.telemetry.spans import spanning
from jobs.telemetry.trace import TraceContext

_MAKE_JOBS = frozenset({"/jobs", "/evaluations", "/datasets", "/models"})
_RETRY = "/jobs/{job_id}/retry"


class Tracing:
    """ASGI middleware; what makes no job passes through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = _makes_a_job(scope)
        if route is None:
            await self._app(scope, receive, send)
            return
        context: Context = scope["app"].state.context
        headers = Headers(scope=scope)
        caller = TraceContext.parse(headers.get("traceparent"), ",".join(headers.getlist("tracestate")))
        about = {"http.request.method": "POST", "http.route": route}
        with spanning(context.spans.begin(f"POST {route}", caller, "server", about)) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.note("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.end(str(message["status"]))
                await send(message)

            await self._app(scope, receive, noted)


def _makes_a_job(scope: Scope) -> str | None:
    """The pattern of its path."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    path: str = scope["path"]
    if path in _MAKE_JOBS:
        return path
    return _RETRY if path.startswith("/jobs/") and path.endswith("/retry") else None
