"""Errors to HTTP, the one place: whatever goes wrong becomes `application/problem+json` (RFC 9457).

`CODES` is the published list: a code never changes its meaning. Raise `Problem("code", "what was wrong ...")` anywhere
below a route; the errors of `jobs` and of the database are turned into one by the handlers.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from api.http.security_headers import ALWAYS
from jobs.errors import (
    ArtifactNotFound,
    DatasetInUse,
    DatasetNotFound,
    JobNotFound,
    KeyReused,
    ModelNotFound,
    OverQuota,
    StoreUnavailable,
    UploadBusy,
    UploadNotFound,
    WrongState,
)  # fmt: skip
from kd_engine.jobspec.problems import FieldProblem, field_problems
from kd_engine.schema.errors import DiskFullError

log = logging.getLogger(__name__)

CODES: dict[str, tuple[int, str]] = {
    "malformed_request": (400, "This is not HTTP"),
    "malformed_json": (400, "The body is not JSON"),
    "not_an_object": (400, "The body is not a JSON object"),
    "too_deep": (400, "The body is nested too deep"),
    "bad_parameter": (400, "A query parameter is wrong"),
    "unknown_parameter": (400, "There is no such query parameter"),
    "bad_page_token": (400, "The page token is not one of ours"),
    "bad_idempotency_key": (400, "The idempotency key is wrong"),
    "unauthorized": (401, "An API key is needed"),
    "missing_scope": (403, "The API key does not allow this"),
    "host_not_allowed": (403, "The service does not answer to this host's name"),
    "origin_not_allowed": (403, "The service is not for pages of other sites"),
    "not_found": (404, "There is nothing at this path"),
    "job_not_found": (404, "There is no such job"),
    "dataset_not_found": (404, "There is no such data set"),
    "model_not_found": (404, "There is no such model"),
    "upload_not_found": (404, "There is no such upload"),
    "artifact_not_found": (404, "The job has no such artifact"),
    "report_not_found": (404, "The job has no report"),
    "method_not_allowed": (405, "This path does not take that method"),
    "request_timeout": (408, "The request came too slowly"),
    "wrong_state": (409, "The job's state does not allow this"),
    "wrong_offset": (409, "The part does not begin where the last one ended"),
    "dataset_in_use": (409, "Unfinished jobs are to read the data set"),
    "not_finished": (409, "The job has not finished"),
    "precondition_failed": (412, "It is not what the request expects"),
    "body_too_large": (413, "The body is too large"),
    "uri_too_long": (414, "The URL is too long"),
    "unsupported_media_type": (415, "The body is of a type that is not taken here"),
    "unknown_format": (415, "The file is of no format that is taken here"),
    "range_not_satisfiable": (416, "The range lies outside the file"),
    "invalid_spec": (422, "The job spec is wrong"),
    "too_many_filters": (422, "The list is filtered by too many labels"),
    "idempotency_key_reused": (422, "The idempotency key was used for another body"),
    "over_quota": (429, "The owner has as much as it may have"),
    "header_too_large": (431, "The request's head is too large"),
    "internal_error": (500, "Something went wrong on the server"),
    "artifact_damaged": (500, "The stored file is not what was published"),
    "disk_full": (507, "There is no room for the file"),
    "not_ready": (503, "The service is not ready"),
    "database_unavailable": (503, "The database cannot be reached"),
    "store_unavailable": (503, "The store of files cannot be reached"),
    "too_many_streams": (503, "Too many event streams are open"),
    "too_many_uploads": (503, "Too many files are being sent"),
    "too_many_downloads": (503, "Too many files are being downloaded"),
    "too_many_connections": (503, "Too many connections are open"),
}
RETRY_AFTER_SECONDS = 5
MOST_ERRORS = 50
_MOST_CHARACTERS = 2000


class Problem(Exception):
    """An answer other than success.

    Args:
        code: one of `CODES`, which gives status and title.
        detail: for the user: what was wrong, where, what was expected, what to try.
        errors: one entry for each bad field or parameter.
        headers: to send along.
        extra: further members of the JSON object.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.errors, self.extra = code, detail, errors, extra
        self.status, self.title = CODES[code]
        self.headers = dict(headers or {})
        if self.status == 503:
            self.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)

    def response(self) -> Response:
        body: dict[str, Any] = {
            "type": f"urn:distillery:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": _short(self.detail),
            "code": self.code,
        }
        if self.errors:
            shown = self.errors[:MOST_ERRORS]
            body["errors"] = [{key: _short(text) for key, text in error.items()} for error in shown]
        return Response(json.dumps(body | self.extra), self.status, self.headers, "application/problem+json")


def invalid_spec(problems: Sequence[FieldProblem]) -> Problem:
    """422 for a spec, with a pointer to each mistake."""
    first = problems[0]
    count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    place = f"at {first.pointer}: " if first.pointer else ""
    return Problem(
        "invalid_spec",
        f"The job spec has {count}; {'the first ' if len(problems) > 1 else ''}{place}{first.message}",
        errors=[asdict(problem) for problem in problems[:MOST_ERRORS]],
    )


def invalid_body(error: ValidationError, body: Any) -> Problem:
    """422 for what pydantic found in `body`."""
    return invalid_spec(field_problems(error, body))


def install(app: FastAPI) -> None:
    """Makes every error of `app` a problem."""
    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, answer)


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "..."


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _job_not_found(request: Request, error: Exception) -> Response:
    return Problem("job_not_found", f"{error}; GET /jobs lists those that exist.").response()


async def _artifact_not_found(request: Request, error: Exception) -> Response:
    return Problem("artifact_not_found", f"{error}.").response()


async def _dataset_not_found(request: Request, error: Exception) -> Response:
    return Problem("dataset_not_found", f"{error}; GET /datasets lists those that exist.").response()


async def _model_not_found(request: Request, error: Exception) -> Response:
    return Problem("model_not_found", f"{error}; GET /models lists those that exist.").response()


async def _upload_not_found(request: Request, error: Exception) -> Response:
    return Problem("upload_not_found", f"{error}; POST /uploads begins one, a day without a part ends it.").response()


async def _upload_busy(request: Request, error: Exception) -> Response:
    detail = "Another part is just arriving; wait for it, and ask how much has."
    return Problem("wrong_offset", detail).response()


async def _dataset_in_use(request: Request, error: Exception) -> Response:
    return Problem("dataset_in_use", f"{error}. Wait for them, or cancel them.").response()


async def _disk_full(request: Request, error: Exception) -> Response:
    return Problem("disk_full", "The service has no room left for files; whoever runs it has to make some.").response()


async def _wrong_state(request: Request, error: Exception) -> Response:
    assert isinstance(error, WrongState)
    return Problem("wrong_state", f"{error}.", state=str(error.state)).response()


async def _over_quota(request: Request, error: Exception) -> Response:
    assert isinstance(error, OverQuota)
    return Problem("over_quota", f"{error}.", quota=error.quota, used=error.used, limit=error.limit).response()


async def _key_reused(request: Request, error: Exception) -> Response:
    return Problem("idempotency_key_reused", f"{error}.").response()


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = ", ".join(_methods(request))
        detail = f"{request.method} is not possible here; this path takes: {allowed}."
        return Problem("method_not_allowed", detail, headers={"Allow": allowed}).response()
    if error.status_code == 404:
        return Problem("not_found", "There is nothing at this path; /docs lists the paths that exist.").response()
    return await _internal(request, error)


def _methods(request: Request) -> list[str]:
    """What this path takes; starlette itself tells of the first route alone."""
    routes = [route for router in request.app.state.routers for route in router.routes]
    scope = {**request.scope, "path_params": {}}
    matching = [route for route in routes if route.matches(scope)[0] is not Match.NONE]
    return sorted({method for route in matching for method in route.methods})


async def _bad_parameter(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"parameter": str(detail["loc"][-1]), "message": str(detail["msg"]), "code": str(detail["type"])}
        for detail in error.errors()
    ]
    return Problem("bad_parameter", errors[0]["message"], errors=errors).response()


async def _database_unavailable(request: Request, error: Exception) -> Response:
    log.warning("the database cannot be used: %s", type(error).__name__, exc_info=error)
    return Problem(
        "database_unavailable", f"Nothing was changed; try again in {RETRY_AFTER_SECONDS} seconds."
    ).response()


async def _store_unavailable(request: Request, error: Exception) -> Response:
    log.warning("the artifact store cannot be used: %s", error)
    return Problem(
        "store_unavailable", f"The files cannot be had just now; try again in {RETRY_AFTER_SECONDS} seconds."
    ).response()


async def _disconnected(request: Request, error: Exception) -> Response:
    # nobody reads this answer: the caller left before the body was complete
    return Problem("malformed_json", "The body ended early.").response()


async def _internal(request: Request, error: Exception) -> Response:
    # the server logs the traceback; the caller has no use for it, and it may name what is not theirs to see
    message = "The error was logged on the server; the same request may work later."
    return Problem("internal_error", message, headers=ALWAYS).response()  # past every middleware


_ANSWERS = {
    Problem: _problem,
    JobNotFound: _job_not_found,
    ArtifactNotFound: _artifact_not_found,
    DatasetNotFound: _dataset_not_found,
    ModelNotFound: _model_not_found,
    UploadNotFound: _upload_not_found,
    UploadBusy: _upload_busy,
    DatasetInUse: _dataset_in_use,
    DiskFullError: _disk_full,
    WrongState: _wrong_state,
    OverQuota: _over_quota,
    KeyReused: _key_reused,
    HTTPException: _http,
    RequestValidationError: _bad_parameter,
    OperationalError: _database_unavailable,
    InterfaceError: _database_unavailable,
    PoolTimeout: _database_unavailable,
    StoreUnavailable: _store_unavailable,
    ClientDisconnect: _disconnected,
    Exception: _internal,
}
