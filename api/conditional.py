"""Conditional requests (RFC 9110, section 13): entity tags, and whether the caller's copy is still good."""

from __future__ import annotations

import re

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def quoted(tag: str) -> str:
    """A strong entity tag."""
    return f'"{tag}"'


def unchanged(if_none_match: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names the present `etag`; compared weakly, as the RFC asks."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)
