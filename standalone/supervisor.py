"""Keeps a few programs running, and leaves nothing behind when it stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from distillery.cli.console import Console
from standalone.child import Child, Program
from standalone.errors import CannotStart
from standalone.guard import Guard

_POLL_SECONDS = 0.05
_LONGEST_PAUSE = 30.0
_SETTLED_SECONDS = 60.0  # a program that ran this long starts again at once when it dies


class Supervisor:
    """Starts programs in order, starts again what dies, and stops them in the opposite order.

    Use it as a context manager; call `tick` often, from the same thread.
    """

    def __init__(self, logs: Path, console: Console, guard: Guard, hurry: Callable[[], bool] = lambda: False) -> None:
        """
        Args:
            guard: becomes this supervisor's, which closes it.
            hurry: asked while stopping; once it says yes, nothing is waited for any more.
        """
        self._logs, self._console, self._guard, self._hurry = logs, console, guard, hurry
        self._children: dict[str, Child] = {}
        self._deaths: dict[str, int] = {}
        self._restart_at: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each running program, by name."""
        return {name: child.pid for name, child in self._children.items() if child.running}

    def start(self, programs: Sequence[Program]) -> None:
        """Starts programs, without waiting for them."""
        for program in programs:
            self._children[program.name] = Child(program, self._logs, self._guard, self._console)

    def wait_ready(self, seconds: float, stop_asked: Callable[[], bool] = lambda: False) -> None:
        """Waits until every program is ready, or `stop_asked` says yes.

        Raises:
            CannotStart: a program ended, or was not ready in time; with the last lines that it wrote.
        """
        deadline = time.monotonic() + seconds
        waiting = list(self._children.values())
        while waiting and not stop_asked():
            for child in self._children.values():
                if not child.running:
                    raise CannotStart(f"{child.program.name} {child.outcome} at its start. {self._shown(child)}")
            waiting = [child for child in waiting if child.program.ready and not child.program.ready()]
            if waiting and time.monotonic() > deadline:
                late = waiting[0]
                raise CannotStart(f"{late.program.name} was not ready after {seconds:g} seconds. {self._shown(late)}")
            time.sleep(_POLL_SECONDS if waiting else 0)

    def tick(self) -> None:
        """Starts again what has died, later each time that it dies soon after its start."""
        self._guard.check()
        now = time.monotonic()
        for name, child in list(self._children.items()):
            if child.running:
                continue
            if name not in self._restart_at:
                self._restart_at[name] = now + self._bury(child)
            if now >= self._restart_at[name]:
                del self._restart_at[name]
                self.start([child.program])

    def stop(self) -> None:
        """Stops everything, the last started first; programs of one kind (`worker-1`, `worker-2`) together."""
        remaining = [child for name, child in self._children.items() if name not in self._restart_at]
        while remaining:
            kind = _kind(remaining[-1])
            together = [child for child in remaining if _kind(child) == kind]
            remaining = [child for child in remaining if _kind(child) != kind]
            for child in together:
                child.ask_to_stop()
            for child in together:
                child.wait(child.program.grace_seconds, self._hurry)
                child.clear_away()
        self._children.clear()
        self._restart_at.clear()
        self._guard.close()

    def _bury(self, child: Child) -> float:
        """Clears away a dead child; returns the seconds to wait before its successor."""
        name = child.program.name
        child.clear_away()
        settled = time.monotonic() - child.started_at > _SETTLED_SECONDS
        self._deaths[name] = 0 if settled else self._deaths.get(name, 0) + 1
        pause = 0.0 if settled else min(0.5 * 2 ** (self._deaths[name] - 1), _LONGEST_PAUSE)
        again = f"in {pause:g} s" if pause else "now"
        self._console.line(f"{name} {child.outcome}; it is started again {again}")
        return pause

    def _shown(self, child: Child) -> str:
        said = child.tail or "(nothing)"
        return f"Its log is {self._logs / child.program.name}.log; the last lines are:\n{said}"


def _kind(child: Child) -> str:
    return child.program.name.partition("-")[0]
