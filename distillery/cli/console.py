"""The terminal: whole lines from several threads, what each child says under its name."""

from __future__ import annotations

import os
import re
import sys
import threading
from typing import TextIO

_NAME_WIDTH = 9
# a line as jobs.telemetry.logs writes it, and where it comes from
_OUR_WARNING = re.compile(r"\S+ \S+ (WARNING|ERROR|CRITICAL) (api|jobs|kd_engine|worker|uvicorn\.error)\b")


class Console:
    """Writes to standard output; a terminal that went away is not an error."""

    def __init__(
        self, stream: TextIO | None = None, *, show_children: bool = True, show_warnings: bool = False
    ) -> None:
        """
        Args:
            show_children: shows all that the programs write.
            show_warnings: if not, shows the warnings and errors of this project; libraries have theirs in the logs.
        """
        self._stream = sys.stdout if stream is None else stream
        self._show_children, self._show_warnings = show_children, show_warnings
        self._lock = threading.Lock()

    @property
    def live(self) -> bool:
        """Whether a line can be written over."""
        return self._stream.isatty()

    def line(self, text: str = "") -> None:
        self._write(text + "\n")

    def over(self, text: str) -> None:
        """Writes over the present line and stays on it; only where `live`."""
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):  # no terminal after all
            columns = len(text) + 1
        self._write(f"\r\x1b[2K{text[: columns - 1]}")  # a line that wraps could not be written over

    def child_line(self, name: str, text: str) -> None:
        if self._show_children or (self._show_warnings and _OUR_WARNING.match(text)):
            self._write(f"{name:<{_NAME_WIDTH}}| {text}\n")

    def _write(self, text: str) -> None:
        with self._lock:
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):  # closed at the other end, or by the interpreter on its way out
                self._show_children = self._show_warnings = False
