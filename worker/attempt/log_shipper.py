"""Copies what a trainer writes, line by line, to the database, so that it can be read while the job runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

_EVERY_SECONDS = 1.0
# At most so much at a time: a trainer that writes without end takes neither this process's memory nor all of its time.
# What is not read yet waits in the file.
_CHUNK_BYTES = 2**18
_CHUNK_LINES = 2_000
# of one attempt; beyond it nobody reads any more, and the database takes no more either
MOST_BYTES = 2**26


class LogShipper:
    """Args:
    file: the trainer's log; need not be there yet.
    write: stores lines; may raise, they are then tried again later.
    """

    def __init__(self, file: Path, write: Callable[[Sequence[str]], None]) -> None:
        self._file, self._write = file, write
        self._read = 0
        self._lines: list[str] = []
        self._again_at = 0.0

    def add(self, line: str) -> None:
        """A line of the worker's own."""
        self._lines.append(line)

    def ship(self) -> None:
        """Stores what has come, at most about once a second; raises what `write` raises."""
        if time.monotonic() < self._again_at:
            return
        self._again_at = time.monotonic() + _EVERY_SECONDS
        self.ship_chunk(ended=False)

    def ship_chunk(self, *, ended: bool) -> bool:
        """Stores the next lines, whatever the time; whether there were any.

        Args:
            ended: nobody writes any more, so a last line without an end is whole.
        """
        if not self._lines:
            self._lines = self._next_lines(ended)
        if not self._lines:
            return False
        self._write(self._lines[:_CHUNK_LINES])
        del self._lines[:_CHUNK_LINES]
        return True

    def _next_lines(self, ended: bool) -> list[str]:
        if self._read >= MOST_BYTES or not self._file.exists():
            return []
        with self._file.open("rb") as file:
            file.seek(self._read)
            chunk = file.read(_CHUNK_BYTES)
        whole, full = chunk.rfind(b"\n") + 1, len(chunk) == _CHUNK_BYTES
        # a line that fills a chunk alone is cut, or it would be waited for without end
        if (full and whole) or not (full or ended):
            chunk = chunk[:whole]
        self._read += len(chunk)
        return chunk.decode(errors="replace").splitlines()
