"""Periodic runner: a thread that runs small steps, each at its own interval, whatever happens to one of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from worker.transient_errors import AWAY, who

log = logging.getLogger(__name__)
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Step:
    """What is done, and how many seconds lie between two times."""

    do: Callable[[], None]
    every_seconds: float


class PeriodicRunner:
    """Does each step at once when it starts, and then at its pace. A step that fails is done again at its next time."""

    def __init__(self, name: str, *steps: Step) -> None:
        self._name = name
        self._due = dict.fromkeys(steps, 0.0)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begins no more steps, and waits a little for the one that is being done. Harmless when it never started."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_SECONDS)

    def _run(self) -> None:
        while not self._done.is_set():
            for step, due in self._due.items():
                if time.monotonic() >= due and not self._done.is_set():
                    self._guarded(step)
                    self._due[step] = time.monotonic() + step.every_seconds
            self._done.wait(max(0.0, min(self._due.values()) - time.monotonic()))

    def _guarded(self, step: Step) -> None:
        try:
            step.do()
        except AWAY as error:
            log.warning("%s: %s; trying again", self._name, who(error))
        except Exception:
            # a mistake in one step must not end the others
            log.exception("%s: a step failed; trying again", self._name)
