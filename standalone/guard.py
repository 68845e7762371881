"""A process that outlives its supervisor for a moment, so that nothing else does.

The supervisor tells it, over a pipe, which process groups it has started. When the pipe ends - also because the
supervisor was killed with -9 - the guard stops the groups that are left: SIGTERM to each leader, some grace, SIGKILL to
the whole group. It also holds the lock on KD_HOME until then, so that the next supervisor does not start too early.
Should it be killed together with the supervisor, the programs hold that lock, and the next supervisor ends them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

GRACE_SECONDS = 20.0
_POLL_SECONDS = 0.05
_COMMAND = (sys.executable, "-m", "standalone.guard")


class Guard:
    """The supervisor's end of the pipe."""

    def __init__(self, *, keep_open: Iterable[int] = (), grace_seconds: float = GRACE_SECONDS) -> None:
        """Starts the guard.

        Args:
            keep_open: file descriptors (a lock) that the guard, and each program that is watched, holds while it lives.
            grace_seconds: from SIGTERM to SIGKILL.
        """
        self._command = (*_COMMAND, str(grace_seconds))
        self.keep_open = tuple(keep_open)
        self._groups: list[int] = []
        self._process = self._start()

    def watch(self, group: int) -> None:
        """Says that the process group `group` is now this supervisor's to stop."""
        self._groups.append(group)
        self._say(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Says that the group is gone."""
        self._groups.remove(group)
        self._say(f"-{group}\n")

    def check(self) -> None:
        """Starts the guard again if it is gone."""
        if self._process.poll() is not None:
            self._close_pipe()
            self._process = self._start()
            for group in self._groups:
                self._say(f"+{group}\n")

    def close(self) -> None:
        """Ends the guard, which stops what was not forgotten."""
        self._close_pipe()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def _pipe(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command, stdin=subprocess.PIPE, start_new_session=True, pass_fds=self.keep_open, bufsize=0,
            cwd=os.path.dirname(os.path.dirname(__file__)),
        )  # fmt: skip

    def _say(self, line: str) -> None:
        # A guard that is gone is started again, with all groups, by the next check().
        with contextlib.suppress(OSError):
            self._pipe.write(line.encode())

    def _close_pipe(self) -> None:
        with contextlib.suppress(OSError):
            self._pipe.close()


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_guard(pid: int) -> bool:
    """Whether a process is a guard that may still stop what it watches."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return arguments[1:3] == [argument.encode() for argument in _COMMAND[1:]]


def stop_groups(groups: list[int], grace_seconds: float) -> None:
    """SIGTERM to the leaders, and after `grace_seconds` SIGKILL to whatever is left of the groups."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(group, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline and any(_alive(group) for group in groups):
        time.sleep(_POLL_SECONDS)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: list[int] = []
    for line in sys.stdin:
        change, group = line[0], int(line[1:])
        if change == "+":
            groups.append(group)
        else:
            groups.remove(group)
    stop_groups(groups, float(sys.argv[1]))


if __name__ == "__main__":
    main()
