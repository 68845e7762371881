"""Answers as bytes, and the documentation of those that are not success."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel

PROBLEM_JSON = "application/problem+json"


def answer(view: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`view` as JSON. What a route returns like this, FastAPI does not validate again; that costs more than a query."""
    return Response(view.model_dump_json(), status, headers, "application/json")


def accepts(request: Request, media_type: str) -> bool:
    """Whether the `Accept` header names this media type itself, not by `*/*`."""
    return media_type in request.headers.get("accept", "").lower()


def problems(*statuses: int, free: bool = False) -> dict[int | str, dict[str, Any]]:
    """What a route adds to its `responses` for the errors that it may answer.

    403, 408, 414, 431, 500 and 503 come with every route; 401 with all that are not `free` of keys.
    """
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemView"}}}
    every = (403, 408, 414, 431, 500, 503) if free else (401, 403, 408, 414, 431, 500, 503)
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in (*statuses, *every)}
