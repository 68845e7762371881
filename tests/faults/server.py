"""A program that a fault campaign starts, kills, freezes and starts again, by its own process id."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from standalone.guard import Guard

_READY_SECONDS = 60.0


class Server:
    """One process in a session of its own; its output goes to `log`.

    Args:
        guard: stops what is left when the campaign itself dies.
        ready: whether it does its work yet.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        guard: Guard,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self._command, self._env, self._log, self._guard, self._ready = command, env, log, guard, ready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it, without waiting; what is left of an earlier start is cleared away first."""
        self.clear_away()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=dict(self._env), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._guard.watch(self.pid)

    def wait_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not self._ready():
            assert self.running, f"{self.name} ended at its start: {self.tail()}"
            assert time.monotonic() < deadline, f"{self.name} is not ready: {self.tail()}"
            time.sleep(0.05)

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to the process alone: what it started must notice by itself."""
        self.send(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP to its whole process group."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self.pid, signal.SIGCONT)

    def stop(self, seconds: float = 30.0) -> None:
        """SIGTERM, and time to leave."""
        self.send(signal.SIGTERM)
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.clear_away()

    def clear_away(self) -> None:
        """Kills what is left of its process group."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._guard.forget(self.pid)
        self._process = None

    def tail(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""
