"""A control group of its own for each trainer, where an administrator has given this worker the right to make some.

That is version 2 with a group that is marked as handed over: a systemd service with `Delegate=memory pids` and
`DelegateSubgroup=worker`. The worker sits in the subgroup; trainers get groups beside it. Groups that are merely
writable are left alone: they belong to whoever manages them.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from kd_engine.platform.cgroups import MemoryGroup, memory_groups

log = logging.getLogger(__name__)
_PREFIX = "trainer-"
_MARKS = ("user.delegate", "trusted.delegate")  # systemd's, on a folder whose inside is somebody else's


class TrainerGroup:
    """The group of one trainer, which the kernel keeps below its limits.

    Raises:
        OSError: the kernel does not let it be made, or does not count memory there.
    """

    def __init__(self, parent: Path, pid: int, memory: int, tasks: int) -> None:
        _remove_left(parent)
        _enable(parent)
        self._folder = parent / f"{_PREFIX}{pid}"
        self._folder.mkdir()
        try:
            self._write("memory.max", memory)
            self._write("memory.oom.group", 1)  # one of a run's processes is of no use without the others
            with suppress(OSError):  # a kernel that does not count swap
                self._write("memory.swap.max", 0)
            with suppress(OSError):  # handed over without the counting of processes
                self._write("pids.max", tasks)
            self._write("cgroup.procs", pid)
        except OSError:
            self.close()
            raise
        self.counts = MemoryGroup(2, self._folder, self._folder)

    def close(self) -> None:
        """Removes the group; one whose last process is still ending is removed before the next one is made."""
        with suppress(OSError):
            self._folder.rmdir()

    def _write(self, name: str, value: int) -> None:
        _write(self._folder / name, str(value))


def delegated() -> Path | None:
    """The folder in which trainers' groups may be made; None where there is none."""
    for group in memory_groups():
        parent = group.folder.parent
        if group.version == 2 and group.folder != group.mount and _is_handed_over(parent):
            return parent
    return None


def _is_handed_over(folder: Path) -> bool:
    for mark in _MARKS:
        with suppress(OSError):
            if os.getxattr(folder, mark) == b"1":
                return os.access(folder, os.W_OK)
    return False


def _enable(parent: Path) -> None:
    """Has the kernel count for each group inside."""
    counted = (parent / "cgroup.subtree_control").read_text().split()
    for controller in ("memory", "pids"):
        if controller not in counted:
            try:
                _write(parent / "cgroup.subtree_control", f"+{controller}")
            except OSError:
                if controller == "memory":
                    raise
                log.debug("processes are not counted in %s", parent)


def _write(file: Path, value: str) -> None:
    """Never makes the file: one that is not there is something that the kernel does not do."""
    handle = os.open(file, os.O_WRONLY)
    try:
        os.write(handle, value.encode())
    finally:
        os.close(handle)


def _remove_left(parent: Path) -> None:
    """Groups of trainers whose worker was killed."""
    for folder in parent.glob(f"{_PREFIX}*"):
        if not Path("/proc", folder.name.removeprefix(_PREFIX)).exists():
            with suppress(OSError):
                folder.rmdir()
