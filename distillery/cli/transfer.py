"""How far a file has come, on a line of its own that is written over where the terminal can."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from distillery.cli.console import Console

_SECONDS = 0.2  # between lines that are written over


class TransferLine:
    """Use it as a context manager, and as the `progress` of a transfer."""

    def __init__(self, name: str) -> None:
        self._name, self._console, self._shown = name, Console(sys.stderr), 0.0

    def __call__(self, arrived: int, size: int) -> None:
        now = time.monotonic()
        if self._console.live and (arrived == size or now - self._shown >= _SECONDS):
            share = 100 if not size else 100 * arrived // size
            self._console.over(f"{self._name}  {share:>3} %  {arrived:,} of {size:,} bytes")
            self._shown = now

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        if self._shown:
            self._console.line()
