"""Conditional requests (RFC 9110, section 13): entity tags, and whether the caller's copy is still good."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from fastapi import Request

from api.http.errors import Problem

IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "Answer only if the ETag is one of these; 412 otherwise.",
    "schema": {"type": "string"},
}
_STRONG = re.compile(r'(?:^|[\s,])("[^"]*")')
_TAG = re.compile(r'(?:W/)?("[^"]*")')


def quoted(tag: str) -> str:
    """A strong entity tag."""
    return f'"{tag}"'


def unchanged(if_none_match: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names the present `etag`; compared weakly, as the RFC asks."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)


def check_expected(
    request: Request, etag: str, modified: datetime | None = None, part: Callable[[str], str] = lambda tag: tag
) -> None:
    """Raises Problem 412 where `If-Match`, or without it `If-Unmodified-Since`, names another state than this one.

    Args:
        etag: strong, of the present state; tags are compared strongly, as the RFC asks.
        modified: when it was made, where that is told to callers.
        part: of a tag, what is compared: what changes without anybody's doing is no reason to refuse.
    """
    expected = request.headers.get("if-match")
    if expected is not None:
        if expected.strip() != "*" and part(etag) not in map(part, _STRONG.findall(expected)):
            raise Problem(
                "precondition_failed", f"The ETag is {etag}, and If-Match is {expected[:100]}; read it again."
            )
        return
    since = request.headers.get("if-unmodified-since")
    if since is None or modified is None:
        return
    try:
        latest = parsedate_to_datetime(since)
    except (ValueError, OverflowError):
        return  # a date that is none is to be ignored
    latest = latest if latest.tzinfo else latest.replace(tzinfo=UTC)
    if modified.replace(microsecond=0) > latest:
        raise Problem("precondition_failed", f"It was modified after {since[:100]}; read it again.")
