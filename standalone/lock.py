"""One supervisor for one KD_HOME.

There are two locks. The supervisor alone holds `supervisor.lock`. `processes.lock` is also held by its guard and by
every program that it has started, which inherit the descriptor: it is free when nothing of the supervisor is left,
however it ended, and the next one does not start beside the remains of the last. The guard ends them; where it was
killed too, the next supervisor does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from jobs.home import prepare
from standalone.errors import CannotStart
from standalone.guard import GRACE_SECONDS, is_guard, stop_groups

_HANDOVER_SECONDS = 60.0
_POLL_SECONDS = 0.1
_LOOK_SECONDS = 1.0  # looking through all processes is no little work


class HomeLock:
    """An exclusive hold on a folder, until `release` or the end of this process and of all that have inherited `fd`.

    Attributes:
        fd: of `processes.lock`, for the guard and the programs to keep open.
    """

    def __init__(
        self, home: Path, *, say: Callable[[str], None] = lambda line: None, grace_seconds: float = GRACE_SECONDS
    ) -> None:
        """Takes both locks; ends what is left of a supervisor that was killed together with its guard.

        Args:
            say: is told when that happens.
            grace_seconds: from SIGTERM to SIGKILL for what is left.

        Raises:
            SettingsError: nothing can be written there.
            CannotStart: a running supervisor has the folder, or the remains of the last one do not end.
        """
        self._say, self._grace_seconds = say, grace_seconds
        prepare(home, needed=True)
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
        next_look = 0.0
        while not _locked(self.fd):
            if time.monotonic() >= next_look:
                self._end_remains(home / "processes.lock")
                next_look = time.monotonic() + _LOOK_SECONDS
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"processes of an earlier service still use {home} after {_HANDOVER_SECONDS:g} seconds; "
                    "look for them with ps, and stop them."
                )
            time.sleep(_POLL_SECONDS)

    def _end_remains(self, path: Path) -> None:
        """Stops the programs of an earlier supervisor, unless its guard is at it."""
        groups = {}
        for pid in holders(path):
            if is_guard(pid):
                return
            with contextlib.suppress(ProcessLookupError):
                groups[pid] = os.getpgid(pid)
        if groups:
            self._say(f"ending what is left of an earlier service: processes {', '.join(map(str, sorted(groups)))}")
            stop_groups(sorted(set(groups.values())), self._grace_seconds)


def holders(path: Path) -> set[int]:
    """The processes that hold the lock on a file, by the kernel's word; empty where there is no /proc to ask."""
    lock, found = os.stat(path), set()
    for fdinfo in Path("/proc").glob("[0-9]*/fdinfo"):
        with contextlib.suppress(OSError):  # a process that has ended, or is another user's
            for info in fdinfo.iterdir():
                if os.path.samestat(os.stat(fdinfo.parent / "fd" / info.name), lock) and "FLOCK" in info.read_text():
                    found.add(int(fdinfo.parent.name))
    return found


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
