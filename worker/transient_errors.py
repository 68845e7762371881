"""Transient errors: what a worker needs is away for a while; it waits, and tries again."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from jobs.errors import StoreUnavailable

AWAY = (SQLAlchemyError, StoreUnavailable)


def who(error: Exception) -> str:
    """Who is away, in words for a log; the database's own would hold what was to be written."""
    if isinstance(error, StoreUnavailable):
        return f"the artifact store is away ({error})"
    return f"the database is away ({type(error).__name__})"
