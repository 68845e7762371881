"""What the client raises: one class for each problem code of the service, and a few for what happens on the way.

DistilleryError
├── NoAnswer             the service was not reached, or went away before it had answered
├── UnknownAnswer        what came back is none of this service's, or of a version that this client does not know
├── DownloadDamaged      a file did not arrive as it was listed
├── NotFinishedInTime    `wait(timeout=...)` is over, and the job goes on
├── JobEnded             a job that was waited for has failed or was cancelled
└── Problem              the service refused; `code`, `detail` and `errors` are its own words
    ├── WrongInput       400, 413, 415, 422 and the like
    ├── NotAllowed       401, 403
    ├── NotFound         404
    ├── Conflict         409, 412
    └── Unavailable      429, 503, 507: later it may go
"""

from __future__ import annotations

from typing import Any, ClassVar

from distillery.problems import FieldError
from distillery.resources import JobView


class DistilleryError(Exception):
    """Base of what the client raises."""


class NoAnswer(DistilleryError):
    """No answer came, and trying again did not help either."""


class UnknownAnswer(DistilleryError):
    """What came back is none of this service's, or of a version that this client does not know."""


class DownloadDamaged(DistilleryError):
    """A file arrived with another sha256 than the listed one; nothing of it was kept."""


class NotFinishedInTime(DistilleryError):
    """The job goes on; wait again, or come back later."""


class JobEnded(DistilleryError):
    """The job failed, or was cancelled: it has no report. `job` is as it then was."""

    def __init__(self, job: JobView) -> None:
        why = "" if str(job.reason) == str(job.state) else f": {job.reason}"
        super().__init__(f"{job.id} {job.state}{why}" + (f"; {job.detail}" if job.detail else ""))
        self.job = job


class Problem(DistilleryError):
    """The service refused a request (RFC 9457).

    Attributes:
        code: one of the published codes; never changes its meaning.
        errors: what is wrong with which field, by JSON pointer or name of a parameter, and what was expected.
        more: further members of the answer, such as the `state` of a job.
    """

    code: str = ""
    classes: ClassVar[dict[str, type[Problem]]] = {}

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.code = str(body.get("code", ""))
        self.title, self.detail = str(body.get("title", "")), str(body.get("detail", ""))
        self.errors = [FieldError.model_validate(error, extra="ignore") for error in body.get("errors", ())]
        known = {"type", "title", "status", "detail", "code", "errors"}
        self.more = {name: value for name, value in body.items() if name not in known}
        super().__init__(self.detail or self.title or f"the service answered with {status}")

    def __init_subclass__(cls, code: str = "") -> None:
        if code:
            cls.code = code
            Problem.classes[code] = cls

    @staticmethod
    def of(status: int, body: dict[str, Any]) -> Problem:
        """The error for an answer; by its status where the code is one of a later version."""
        kind = Problem.classes.get(str(body.get("code"))) or _BY_STATUS.get(status, Problem)
        return kind(status, body)


class WrongInput(Problem):
    """The request is wrong as it stands; the same one will be refused again."""


class NotAllowed(Problem):
    """No key, or one whose scopes do not allow this."""


class NotFound(Problem):
    """It does not exist, or is somebody else's."""


class Conflict(Problem):
    """Not in this state."""


class Unavailable(Problem):
    """Not now; the client has tried again for a while."""


# fmt: off
class MalformedRequest(WrongInput, code="malformed_request"): ...
class MalformedJson(WrongInput, code="malformed_json"): ...
class NotAnObject(WrongInput, code="not_an_object"): ...
class TooDeep(WrongInput, code="too_deep"): ...
class BadParameter(WrongInput, code="bad_parameter"): ...
class UnknownParameter(WrongInput, code="unknown_parameter"): ...
class BadPageToken(WrongInput, code="bad_page_token"): ...
class BadIdempotencyKey(WrongInput, code="bad_idempotency_key"): ...
class Unauthorized(NotAllowed, code="unauthorized"): ...
class MissingScope(NotAllowed, code="missing_scope"): ...
class HostNotAllowed(NotAllowed, code="host_not_allowed"): ...
class OriginNotAllowed(NotAllowed, code="origin_not_allowed"): ...
class PathNotFound(NotFound, code="not_found"): ...
class JobNotFound(NotFound, code="job_not_found"): ...
class DatasetNotFound(NotFound, code="dataset_not_found"): ...
class ModelNotFound(NotFound, code="model_not_found"): ...
class UploadNotFound(NotFound, code="upload_not_found"): ...
class ArtifactNotFound(NotFound, code="artifact_not_found"): ...
class ReportNotFound(NotFound, code="report_not_found"): ...
class MethodNotAllowed(WrongInput, code="method_not_allowed"): ...
class RequestTimeout(Unavailable, code="request_timeout"): ...
class WrongState(Conflict, code="wrong_state"): ...
class WrongOffset(Conflict, code="wrong_offset"): ...
class DatasetInUse(Conflict, code="dataset_in_use"): ...
class NotFinished(Conflict, code="not_finished"): ...
class PreconditionFailed(Conflict, code="precondition_failed"): ...
class BodyTooLarge(WrongInput, code="body_too_large"): ...
class UriTooLong(WrongInput, code="uri_too_long"): ...
class UnsupportedMediaType(WrongInput, code="unsupported_media_type"): ...
class UnknownFormat(WrongInput, code="unknown_format"): ...
class RangeNotSatisfiable(WrongInput, code="range_not_satisfiable"): ...
class InvalidSpec(WrongInput, code="invalid_spec"): ...
class TooManyFilters(WrongInput, code="too_many_filters"): ...
class IdempotencyKeyReused(WrongInput, code="idempotency_key_reused"): ...
class OverQuota(Unavailable, code="over_quota"): ...
class HeaderTooLarge(WrongInput, code="header_too_large"): ...
class InternalError(Problem, code="internal_error"): ...
class ArtifactDamaged(Problem, code="artifact_damaged"): ...
class DiskFull(Unavailable, code="disk_full"): ...
class NotReady(Unavailable, code="not_ready"): ...
class DatabaseUnavailable(Unavailable, code="database_unavailable"): ...
class StoreUnavailable(Unavailable, code="store_unavailable"): ...
class TooManyStreams(Unavailable, code="too_many_streams"): ...
class TooManyUploads(Unavailable, code="too_many_uploads"): ...
class TooManyDownloads(Unavailable, code="too_many_downloads"): ...
class TooManyConnections(Unavailable, code="too_many_connections"): ...
# fmt: on

_BY_STATUS: dict[int, type[Problem]] = {
    **dict.fromkeys((400, 405, 413, 414, 415, 416, 422, 431), WrongInput),
    **dict.fromkeys((401, 403), NotAllowed),
    404: NotFound,
    **dict.fromkeys((409, 412), Conflict),
    **dict.fromkeys((408, 429, 502, 503, 504, 507), Unavailable),
}
