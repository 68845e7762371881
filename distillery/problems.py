"""What an answer that is an error holds (RFC 9457)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class FieldError(BaseModel):
    """What is wrong with one field: `pointer` (RFC 6901) into the body, or the name of a query `parameter`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    pointer: str | None = None
    parameter: str | None = None
    message: str
    code: str


class ProblemView(BaseModel):
    """RFC 9457. `code` is stable; some codes add members (`state` of the job, `parts` of the service)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = []
