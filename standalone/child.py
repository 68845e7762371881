"""A program under supervision: started in a session of its own, its output kept, stopped with everything it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from distillery.cli.console import Console
from standalone.guard import Guard

_POLL_SECONDS = 0.02
_TAIL_LINES = 15
_LARGEST_LOG = 20 * 2**20  # bytes; a larger one from earlier starts is moved aside


@dataclass(frozen=True)
class Program:
    """What to run.

    Attributes:
        env: the whole environment of the process.
        ready: says whether the program does its work yet; None when it is ready as soon as it runs.
        grace_seconds: from SIGTERM to SIGKILL.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    ready: Callable[[], bool] | None = None
    grace_seconds: float = 10.0


class Child:
    """A running program."""

    def __init__(self, program: Program, logs: Path, guard: Guard, console: Console) -> None:
        """Starts the program; its output goes to the console and to `logs/NAME.log`."""
        self.program = program
        self.started_at = time.monotonic()
        self._guard = guard
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._process = subprocess.Popen(
            program.command, env=dict(program.env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, pass_fds=guard.keep_open,
        )  # fmt: skip
        guard.watch(self.pid)
        self._pump = threading.Thread(target=self._copy_output, args=(_open_log(logs, program.name), console))
        self._pump.daemon = True
        self._pump.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def outcome(self) -> str:
        """How the process ended, in words."""
        code = self._process.returncode
        if code is None:
            return "still runs"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"

    @property
    def tail(self) -> str:
        """The last lines that the program wrote."""
        return "\n".join(self._tail)

    def ask_to_stop(self) -> None:
        """SIGTERM to the program itself, which stops what it has started."""
        if self.running:
            self._process.terminate()

    def wait(self, seconds: float, hurry: Callable[[], bool] = lambda: False) -> None:
        """Waits until the program ends, `seconds` have passed or `hurry` says so."""
        deadline = time.monotonic() + seconds
        while self.running and time.monotonic() < deadline and not hurry():
            time.sleep(_POLL_SECONDS)

    def clear_away(self) -> None:
        """Kills what is left of the program's process group, and collects its output to the end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._guard.forget(self.pid)
        # The pipe may be held open by a process outside the group; what that writes can be lost.
        self._pump.join(timeout=1.0)

    def _copy_output(self, log: IO[bytes], console: Console) -> None:
        assert self._process.stdout is not None
        with log, self._process.stdout as output:
            for line in output:
                with contextlib.suppress(OSError):  # a full disk must not block the program
                    log.write(line)
                text = line.decode(errors="replace").rstrip()
                self._tail.append(text)
                console.child_line(self.program.name, text)


def _open_log(logs: Path, name: str) -> IO[bytes]:
    logs.mkdir(parents=True, exist_ok=True)
    path = logs / f"{name}.log"
    if path.exists() and path.stat().st_size > _LARGEST_LOG:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab", buffering=0)
