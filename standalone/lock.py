"""One supervisor for one KD_HOME.

There are two locks. The supervisor alone holds `supervisor.lock`. `processes.lock` is also held by its guard, which
lets go of it when nothing of the supervisor is left: the next one does not start beside the remains of the last.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Self

from jobs.home import make_private
from standalone.errors import CannotStart

_HANDOVER_SECONDS = 60.0
_POLL_SECONDS = 0.1


class HomeLock:
    """An exclusive hold on a folder, until `release` or the end of this process and of its guard.

    Attributes:
        fd: of `processes.lock`, for the guard to keep open.
    """

    def __init__(self, home: Path) -> None:
        """Takes both locks.

        Raises:
            CannotStart: a running supervisor has the folder, or the remains of the last one do not end.
        """
        make_private(home)
        self._own_fd = _open(home / "supervisor.lock")
        self.fd = _open(home / "processes.lock")
        try:
            self._take(home)
        except BaseException:
            self.release()
            raise
        os.ftruncate(self._own_fd, 0)
        os.pwrite(self._own_fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        os.close(self._own_fd)
        os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _take(self, home: Path) -> None:
        if not _locked(self._own_fd):
            holder = os.pread(self._own_fd, 32, 0).decode(errors="replace")
            raise CannotStart(
                f"another service (process {holder or 'unknown'}) already keeps its jobs in {home}. "
                "Stop that one first, or give this one a folder and a port of its own: KD_HOME=... KD_PORT=..."
            )
        deadline = time.monotonic() + _HANDOVER_SECONDS
        while not _locked(self.fd):
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"processes of an earlier service still use {home} after {_HANDOVER_SECONDS:g} seconds; "
                    "look for them with ps, and stop them."
                )
            time.sleep(_POLL_SECONDS)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
