"""The database's clock. All times of a job come from it, so the clocks of the machines need not agree.

A moment is whole milliseconds since 1970, UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, literal, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from jobs.tables import UtcTime


class _NowMs(FunctionElement[int]):
    name = "now_ms"
    type = BigInteger()
    inherit_cache = True


def now(plus_seconds: float = 0.0) -> ColumnElement[datetime]:
    """SQL for the present moment by the database's clock, moved by `plus_seconds` (negative: into the past)."""
    moment: ColumnElement[int] = _NowMs()
    if plus_seconds:
        moment = moment + literal(round(plus_seconds * 1000), BigInteger)
    return type_coerce(moment, UtcTime())


@compiles(_NowMs, "postgresql")
def _postgresql(element: _NowMs, compiler: SQLCompiler, **options: Any) -> str:
    # statement_timestamp(), not clock_timestamp(): it is constant within a statement, so an index can serve it.
    return "CAST(floor(EXTRACT(EPOCH FROM statement_timestamp()) * 1000) AS BIGINT)"


@compiles(_NowMs, "sqlite")
def _sqlite(element: _NowMs, compiler: SQLCompiler, **options: Any) -> str:
    # Day 2440587.5 is 1970-01-01; a Julian day in a double is good to 0.05 ms.
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
