"""What the commands print: data on standard output, all else on standard error."""

from __future__ import annotations

import json
import shutil
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
_NARROWEST = 8  # characters of a column
# A terminal would obey what a name or a log line says to it, so control characters are spelled out.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


def safe(text: object) -> str:
    """Text that somebody else wrote, on one line."""
    return str(text).translate(_CONTROLS)


def safe_lines(text: str) -> str:
    """The same of a text of several lines."""
    return "\n".join(safe(one) for one in text.split("\n"))


def line(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def tell(text: str) -> None:
    """For the person at the terminal."""
    sys.stderr.write(text + "\n")


def json_line(value: BaseModel | dict[str, Any]) -> None:
    """An object on a line of its own."""
    # no warning of a value that only a later service knows
    line(value.model_dump_json(warnings=False) if isinstance(value, BaseModel) else json.dumps(value))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns that line up on a terminal; in a pipe a line for each row, tabs between, without the header."""
    cells = [tuple(safe("" if cell is None else cell) for cell in row) for row in rows]
    if not sys.stdout.isatty():
        for row in cells:
            line("\t".join(row))
        return
    whole = [tuple(header), *cells]
    widths = [max(len(row[column]) for row in whole) for column in range(len(header))]
    over = sum(widths) + 2 * (len(widths) - 1) - shutil.get_terminal_size().columns
    if over > 0:  # the widest column, which is text of somebody's, gives way
        widest = widths.index(max(widths))
        widths[widest] = max(_NARROWEST, widths[widest] - over)
    for row in whole:
        line("  ".join(_cut(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cut(cell: str, width: int) -> str:
    return f"{cell:<{width}}" if len(cell) <= width else cell[: width - 1] + "…"


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
