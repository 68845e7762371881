"""The supervisor's handle on a trainer process: start, hear, ask to stop, kill the whole group."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from kd_engine.schema.events import Event, parse_event
from worker.attempt.trainer_main import NO_ROOM_STATUS
from worker.trainer_environment import trainer_environment

EVENTS_FILE = "events.jsonl"
LOG_FILE = "trainer.log"


class TrainerProcess:
    """A trainer in a session and process group of its own.

    Args:
        folder: holds `request.json`; the trainer's events and log go there.
        threads: its share of the cores.
        more: what else its environment holds.
    """

    def __init__(self, folder: Path, threads: int, more: Mapping[str, str] = MappingProxyType({})) -> None:
        self._events = folder / EVENTS_FILE
        self._read = 0
        self._kill_at: float | None = None
        self._killed = False
        with (folder / LOG_FILE).open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "worker.attempt.trainer_main", str(folder)],
                cwd=folder,
                env=trainer_environment(threads) | dict(more),
                stdin=subprocess.PIPE,  # the lifeline: never written to, closed by our end
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id, and process group id, of the trainer."""
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def killed_by_others(self) -> bool:
        """Whether SIGKILL ended it, and nobody here sent that: most often the kernel."""
        return self._process.returncode == -signal.SIGKILL and not self._killed

    @property
    def crashed(self) -> bool:
        """Whether it ended by itself, and not as it should."""
        return self._process.returncode not in (0, -signal.SIGKILL, -signal.SIGTERM)

    @property
    def found_no_room(self) -> bool:
        """Whether it could not even write that the disk is full."""
        return self._process.returncode == NO_ROOM_STATUS

    @property
    def outcome(self) -> str:
        """How the process ended, in words."""
        code = self._process.returncode
        if code >= 0:
            return f"ended with exit status {code}"
        hint = ", as happens when memory runs out" if self.killed_by_others else ""
        return f"was killed by {signal.Signals(-code).name}{hint}"

    def events(self) -> list[Event]:
        """The events written since the last call; a line that is still being written waits for the next one."""
        if not self._events.exists():
            return []
        with self._events.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        return [parse_event(line) for line in whole.splitlines()]

    def ask_to_stop(self, grace_seconds: float) -> None:
        """SIGTERM now; `check` sends SIGKILL once `grace_seconds` have passed. Later calls change nothing."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + grace_seconds
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def check(self) -> None:
        """Kills the group when it was asked to stop and its grace is over."""
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the whole group, and waits for the trainer to be gone."""
        self._killed = self._killed or self.running
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Leaves no process of the group behind, whatever happened before."""
        self.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
