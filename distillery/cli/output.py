"""What the commands print: data on standard output, all else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from distillery.errors import (
    Conflict,
    DistilleryError,
    JobEnded,
    NotAllowed,
    NotFinishedInTime,
    NotFound,
    Problem,
    WrongInput,
)
from distillery.states import JobState

DONE, FAILED, WRONG, CANCELLED, NOT_ALLOWED, NOT_FOUND, NOT_FINISHED = range(7)
# A terminal would obey what a name or a log line says to it, so control characters are spelled out.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


def safe(text: object) -> str:
    """Text that somebody else wrote, on one line."""
    return str(text).translate(_CONTROLS)


def line(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def tell(text: str) -> None:
    """For the person at the terminal."""
    sys.stderr.write(text + "\n")


def json_line(value: BaseModel | dict[str, Any]) -> None:
    """An object on a line of its own."""
    line(value.model_dump_json() if isinstance(value, BaseModel) else json.dumps(value))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns that line up on a terminal; in a pipe a line for each row, tabs between, without the header."""
    cells = [tuple(safe("" if cell is None else cell) for cell in row) for row in rows]
    if not sys.stdout.isatty():
        for row in cells:
            line("\t".join(row))
        return
    whole = [tuple(header), *cells]
    widths = [max(len(row[column]) for row in whole) for column in range(len(header))]
    for row in whole:
        line("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def tell_error(error: DistilleryError) -> int:
    """Says what went wrong, with each mistake and its place; returns the exit status."""
    tell(f"distillery: {safe(error)}")
    if isinstance(error, Problem) and len(error.errors) > 1:
        for one in error.errors:
            tell(f"  {safe(one.pointer or one.parameter or '(the whole spec)')}: {safe(one.message)}")
    if isinstance(error, JobEnded):
        return CANCELLED if error.job.state is JobState.CANCELLED else FAILED
    kinds = ((NotAllowed, NOT_ALLOWED), (NotFound, NOT_FOUND), (NotFinishedInTime, NOT_FINISHED),
             ((WrongInput, Conflict), WRONG))  # fmt: skip
    return next((status for kind, status in kinds if isinstance(error, kind)), FAILED)
