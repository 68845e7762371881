"""The log of a job's runs, line by line, bounded: what a trainer writes without end must not fill the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlalchemy import Table, func, insert, select
from sqlalchemy.orm import Session

from jobs.clock import now
from jobs.repository import transitions
from jobs.tables import LogLine

MOST_LINES = 20_000
LONGEST_LINE = 2_000
# of the table: the ORM's own way to insert takes twice as long
_APPEND = insert(cast(Table, LogLine.__table__)).values(at=now())
_CUT = f"(the log of a job ends after {MOST_LINES:,} lines)"


def write(session: Session, job_id: str, token: int, lines: Sequence[str]) -> None:
    job = transitions.held(session, job_id, token)
    last = session.scalar(select(func.max(LogLine.seq)).where(LogLine.job_id == job_id)) or 0
    kept = [transitions.storable(line)[:LONGEST_LINE] for line in lines[: max(MOST_LINES - last, 0)]]
    if len(kept) < len(lines) and last < MOST_LINES:
        kept[-1:] = [_CUT]
    if kept:
        rows = [
            {"job_id": job_id, "seq": seq, "attempt": job.attempt, "line": line}
            for seq, line in enumerate(kept, last + 1)
        ]
        session.execute(_APPEND, rows)


def read(session: Session, job_id: str, after: int, limit: int) -> list[LogLine]:
    statement = select(LogLine).where(LogLine.job_id == job_id, LogLine.seq > after).order_by(LogLine.seq).limit(limit)
    return list(session.scalars(statement))


def tail(session: Session, job_id: str, count: int) -> list[LogLine]:
    newest = select(LogLine).where(LogLine.job_id == job_id).order_by(LogLine.seq.desc()).limit(count)
    return list(session.scalars(newest))[::-1]
