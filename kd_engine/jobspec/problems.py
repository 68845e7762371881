"""Turns pydantic's errors about a spec into what a person needs: where (a JSON pointer), what was wrong, what to write.

Used by the API (problem+json) and by `python -m kd_engine` alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kd_engine.jobspec.misplaced_keys import elsewhere, is_inside

_SCALARS = frozenset({"float_type", "int_type", "bool_type", "string_type", "literal_error"})
_ONE_VALUE = (
    " A job takes one value here: a sweep (POST /sweeps) tries several and compares them; 'repeats' tries more seeds."
)
_MOST_KNOWN = 10  # a body of nothing but unknown keys is not answered with a list for each


@dataclass(frozen=True)
class FieldProblem:
    """One thing that is wrong with a spec.

    Attributes:
        pointer: RFC 6901 JSON pointer to the offending value; empty for the whole document.
        message: what was wrong and what is expected.
        code: stable; what kind of mistake it was.
    """

    pointer: str
    message: str
    code: str


def field_problems(error: ValidationError, body: Any) -> list[FieldProblem]:
    """All problems in `error`, with pointers into `body` as the user wrote it."""
    problems = []
    details = error.errors(include_url=False)
    for detail in details:
        if _is_echo(detail, details):
            continue
        context = detail.get("ctx", {})
        path = [*_path_in(body, detail), *context.get("at", ())]
        if "keys" in context:
            problems += _unknown_keys(detail, path)
        else:
            problems.append(FieldProblem(_pointer(path), _message(detail), detail["type"]))
    return problems


def _unknown_keys(detail: ErrorDetails, path: list[int | str]) -> list[FieldProblem]:
    """One problem a key: what is meant instead, or where it belongs."""
    context, found = detail["ctx"], []
    for place, (key, message) in enumerate(zip(context["keys"], context["each"], strict=True)):
        shown = place < _MOST_KNOWN
        if message == f"unknown key '{key}'." or is_inside(str(key), path):
            belongs = elsewhere(str(key), path, alike=shown)
            message = f"unknown key '{key}' here: {belongs}." if belongs else message
        known = f" {context['known']}" if shown else ""
        found.append(FieldProblem(_pointer([*path, key]), message + known, detail["type"]))
    return found


def _is_echo(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """Whether a list is only called too short because pydantic counts none of its wrong items."""
    loc = detail["loc"]
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc for other in details
    )


def _path_in(body: Any, detail: ErrorDetails) -> list[int | str]:
    """Where, without what pydantic adds: the tags of unions, and what lies inside a name written as a string."""
    path: list[int | str] = []
    here = body
    for part in detail["loc"]:
        in_list = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if in_list or (isinstance(here, dict) and part in here):
            here = here[part]
            path.append(part)
    return [*path, detail["loc"][-1]] if detail["type"] == "missing" else path


def _message(detail: ErrorDetails) -> str:
    message = detail["msg"]
    if detail["type"] == "missing":
        return "this key is required."
    if "message" in detail.get("ctx", {}):
        return message
    shown = repr(detail["input"])
    got = f"{message}; got {shown if len(shown) <= 80 else shown[:77] + '...'}."
    return got + _ONE_VALUE if isinstance(detail["input"], list) and detail["type"] in _SCALARS else got


def _pointer(path: list[Any]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
