"""SIGINT, SIGTERM and SIGHUP as a wish that is asked about at safe places, never an exception at an unsafe one."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Self

from standalone.errors import Stopped

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Counts the signals that ask for an end, while it is entered."""

    def __init__(self) -> None:
        self._count = 0
        self._last = 0
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._heard) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def asked(self) -> bool:
        return self._count > 0

    def asked_twice(self) -> bool:
        """Whether the person at the terminal does not want to wait."""
        return self._count > 1

    def check(self) -> None:
        """Raises Stopped once a signal came."""
        if self.asked():
            raise Stopped(f"stopped by {signal.Signals(self._last).name}")

    def _heard(self, number: int, _: FrameType | None) -> None:
        self._count += 1
        self._last = number
