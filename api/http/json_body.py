"""Reads a JSON object from a request's body, and refuses anything that is not plainly one, before pydantic sees it."""

from __future__ import annotations

import asyncio
import json
import math
import re
from email.message import Message
from typing import Annotated, Any, Never

from fastapi import Depends, Request

from api.http.errors import Problem

MAX_DEPTH = 32
MAX_VALUES = 12_000  # of a spec, the epochs of whose snapshots are at most 10,000; each may be a mistake to tell
_SECONDS = 60.0  # for all of a body that is at most some hundred KiB; files have no such limit
# a float64 holds 1.8e308 at most, and Python refuses to print integers of more than 4300 digits
_MOST_DIGITS = 308
# PostgreSQL stores neither NUL nor half a surrogate pair, and UTF-8 cannot say the latter
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


async def read_body(request: Request) -> bytes:
    """The body as bytes; the only async code of the api, because only this waits for the caller.

    Raises:
        Problem: 415 for other than JSON; 413 over `max_body_bytes`, before it is read where its length is announced;
            408 when it is not complete after a minute.
    """
    limit: int = request.app.state.context.settings.max_body_bytes
    _check_media_type(request.headers.get("content-type"))
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
    except TimeoutError:
        message = f"The body was not complete within {_SECONDS:g} seconds; send it in one go."
        raise Problem("request_timeout", message, headers={"Connection": "close"}) from None
    return b"".join(chunks)


RawBody = Annotated[bytes, Depends(read_body)]


def parse_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`.

    Raises:
        Problem: 400; not UTF-8, not JSON, not an object, NaN or an infinity, a key twice, deeper than `MAX_DEPTH`.
            413; more than `MAX_VALUES` values.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8; JSON is sent as UTF-8.") from None
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_int
        )
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise _too_deep() from None
    _check_values(value)
    if not isinstance(value, dict):
        found = _JSON_NAMES[type(value)]
        raise Problem("not_an_object", f"Expected a job spec, a JSON object like {{...}}; got {found}.")
    return value


_JSON_NAMES: dict[type, str] = {
    list: "an array", str: "a string", int: "a number", float: "a number", bool: "a boolean", type(None): "null",
}  # fmt: skip


def _check_media_type(header: str | None) -> None:
    message = Message()
    message["content-type"] = header or ""
    media_type = message.get_content_type() if header else "nothing"
    charset = str(message.get_param("charset", "utf-8")).lower()
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    if not is_json or charset not in {"utf-8", "utf8", "us-ascii"}:
        raise Problem(
            "unsupported_media_type",
            f"The Content-Type says {header or 'nothing'!r}; send 'Content-Type: application/json' "
            "(with curl: -H 'Content-Type: application/json').",
            headers={"Accept": "application/json"},
        )


def _check_values(value: Any) -> None:
    """Bounds the depth, the number and the characters, without recursion."""
    level, depth, count = [value], 0, 0
    while level:
        count += len(level)
        if count > MAX_VALUES:
            raise Problem("body_too_large", f"The body holds more than {MAX_VALUES:,} values; no job spec does.")
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, dict):
                for key in item:
                    _check_text(key)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        depth += any(isinstance(item, dict | list) for item in level)
        if depth > MAX_DEPTH:
            raise _too_deep()
        level = below


def _check_text(text: str) -> None:
    found = _UNSTORABLE.search(text)
    if found:
        raise _malformed(f"a string holds the character U+{ord(found[0]):04X}, which cannot be stored; leave it out.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _malformed(f"the key {twice[:100]!r} appears twice in one object; which of the two is meant?")
    return result


def _constant(name: str) -> Never:
    raise _malformed(f"{name} is not JSON; write a finite number.")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _malformed(f"the number {text[:40]} is too large; the largest is about 1.8e308.")
    return value


def _int(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise _malformed(f"a number has {len(text)} digits; at most {_MOST_DIGITS} are read.")
    return int(text)


def _malformed(detail: str) -> Problem:
    return Problem("malformed_json", f"The body is not valid JSON: {detail}")


def _too_deep() -> Problem:
    return Problem("too_deep", f"The body nests arrays and objects more than {MAX_DEPTH} deep; no job spec does.")


def _too_large(limit: int) -> Problem:
    return Problem("body_too_large", f"The body is over {limit} bytes, the most that is read (KD_MAX_BODY_BYTES).")
