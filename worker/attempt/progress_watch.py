"""Whether a trainer gets on, as seen from outside: it may be stopped, or in a loop that never gives Python a turn.

Every event and every sign of life of the trainer is progress (`kd_engine/platform/heartbeat.py`). One that is quiet for
a third of KD_STALL_SECONDS is said to be stalled, for all to see; one that is quiet for all of it is ended. Being alive
is another
matter: that is the lease's, which this worker holds whatever its trainer does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from kd_engine.schema.events import Event, Working
from worker.attempt.activity import Doing

_NOTICED_AFTER = 1 / 3  # of the time that is allowed
_START_SECONDS = 120.0  # allowed until the first event: importing torch from a cold disk takes a while


class ProgressWatch:
    """
    Args:
        stall_seconds: a trainer may be quiet for so long, unless it said that it will be for longer.
        clock: seconds, from anywhere.
    """

    def __init__(self, stall_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stall_seconds, self._clock = stall_seconds, clock
        self._doing, self._noted = Doing(), False
        self.begin()

    def begin(self) -> None:
        """The trainer starts now."""
        self._expect(_START_SECONDS)

    def heard(self, event: Event) -> None:
        """The trainer reported something."""
        self._doing.heard(event)
        patience = event.patience_seconds if isinstance(event, Working) else None
        self._expect(patience or 0.0)

    @property
    def stalled(self) -> bool:
        """Whether it is quiet for so long that somebody should know."""
        return self._quiet_seconds >= _NOTICED_AFTER * self._allowed

    @property
    def hung(self) -> str | None:
        """Why it is to be ended; None while it may still get on."""
        if self._quiet_seconds < self._allowed:
            return None
        return f"the trainer showed no progress for {self._quiet_seconds:,.0f} s while it was {self._doing.words}"

    def note(self, write: Callable[[float, str], None], recover: Callable[[], None]) -> None:
        """Has it written down where that has changed; again the next time, if it could not be.

        Args:
            write: for how many seconds it is quiet, and what it was doing.
            recover: that it gets on again.
        """
        stalled = self.stalled
        if stalled == self._noted:
            return
        if stalled:
            write(self._quiet_seconds, self._doing.words)
        else:
            recover()
        self._noted = stalled

    @property
    def _quiet_seconds(self) -> float:
        return self._clock() - self._heard

    def _expect(self, patience: float) -> None:
        self._heard = self._clock()
        self._allowed = max(self._stall_seconds, patience)
