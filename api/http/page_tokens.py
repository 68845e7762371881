"""Opaque page tokens: where the next page begins, bound to the filters it was asked with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from api.http.errors import Problem

_MARK_BYTES = 12
_POSITION = re.compile("[0-9A-Za-z_]+", re.ASCII)  # an id; nothing else of what callers make up reaches the database


def make_token(position: str, filters: str) -> str:
    """The token of the page after `position`, an id, for a list under `filters` (any text that says which)."""
    mark = _mark(position, filters)
    return base64.urlsafe_b64encode(mark + position.encode()).decode().rstrip("=")


def read_token(token: str, filters: str) -> str:
    """The position in a token.

    The mark is no secret: a token grants nothing. It tells a token of ours from a garbled or invented one.

    Raises:
        Problem: 400, the token was not made here for these filters.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        mark, position = raw[:_MARK_BYTES], raw[_MARK_BYTES:].decode()
    except ValueError:
        raise _forged() from None
    if not _POSITION.fullmatch(position) or not hmac.compare_digest(mark, _mark(position, filters)):
        raise _forged()
    return position


def _mark(position: str, filters: str) -> bytes:
    text = f"{len(position)}:{position}{filters}"
    return hashlib.blake2b(text.encode(), digest_size=_MARK_BYTES, person=b"distillery-page").digest()


def _forged() -> Problem:
    return Problem(
        "bad_page_token",
        "The page_token is not one that this service gave out for this list; send next_page_token of the last page "
        "unchanged, with the same filters, or leave it out to start from the newest.",
        errors=[{"parameter": "page_token", "message": "not a token of this list", "code": "bad_page_token"}],
    )
