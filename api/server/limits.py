"""What one connection may cost before it is known who asks, and how many there may be."""

from __future__ import annotations

import resource
from dataclasses import dataclass

_MOST_DESCRIPTORS = 2**16
# The database's pool (three files for each connection of SQLite), a file for each thread, uploads, logs, the broker.
_RESERVED = 400


@dataclass(frozen=True)
class Limits:
    """Of a connection, in bytes and seconds.

    Attributes:
        head_bytes: of a request's line and header fields, and of what stands around the pieces of a chunked body.
        head_fields: header fields of a request.
        all_heads_bytes: of all heads that are not complete, once a second.
        head_seconds: from a request's first byte, or the connection's begin, to the end of its head.
        pace_bytes: at least so many bytes of a body, or of an answer that waits to be taken, pass ...
        pace_seconds: ... in so many seconds.
        linger_seconds: how long a body is read on that was answered before its end, and an end is waited for.
        pipelined: requests that wait behind one that is being answered.
    """

    head_bytes: int = 2**16
    head_fields: int = 100
    all_heads_bytes: int = 2**26
    head_seconds: float = 10.0
    pace_bytes: int = 15_000
    pace_seconds: float = 30.0
    linger_seconds: float = 10.0
    pipelined: int = 32


def raise_descriptors() -> None:
    """Lets this process open as many files as the system allows it, up to 65,536."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def most_connections(wanted: int) -> int:
    """`wanted`, or fewer where this process may not open that many files beside its own; at least one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - min(_RESERVED, soft // 2)))
