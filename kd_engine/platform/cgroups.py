"""The kernel's control groups that this process is in, and what they say of memory. Of both versions, nested or not.

    /proc/self/cgroup       which group, by its path from the hierarchy's root: `0::/path` or `4:memory:/path`
    /proc/self/mountinfo    where that hierarchy is mounted, and which of its folders is what one sees there

In a container the path may be that of the host while the mount shows the container's own group alone.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

_SELF = Path("/proc/self")


@dataclass(frozen=True)
class MemoryGroup:
    """The group of one hierarchy that counts this process's memory.

    Attributes:
        version: of the interface, 1 or 2.
        folder: the group's own.
        mount: the outermost folder that can be seen.
    """

    version: Literal[1, 2]
    folder: Path
    mount: Path

    def limit(self) -> int | None:
        """Bytes that the group, or one around it, may use; None if nothing says so."""
        name = "memory.max" if self.version == 2 else "memory.limit_in_bytes"
        limits = []
        for folder in (self.folder, *self.folder.parents):
            with suppress(OSError, ValueError):  # "max" and a missing file: no limit
                limits.append(int((folder / name).read_text()))
            if folder == self.mount:
                break
        return min(limits, default=None)

    def kills(self) -> tuple[int, ...]:
        """Counts that all rise when the kernel kills a process because the group's own limit is reached.

        Version 2 also counts whom it killed for the want of somebody around the group; but then not the limit.
        """
        if self.version == 1:
            return (_number(self.folder / "memory.oom_control", "oom_kill"),)
        events = self.folder / "memory.events"
        return _number(events, "oom"), _number(events, "oom_kill")


def memory_groups(process: Path = _SELF) -> list[MemoryGroup]:
    """The groups that count this process's memory: one where the system uses one version, none where it has none.

    Args:
        process: the process's folder in /proc.
    """
    with suppress(OSError):
        groups = [line.split(":", 2) for line in (process / "cgroup").read_text().splitlines()]
        mounts = [line.split() for line in (process / "mountinfo").read_text().splitlines()]
        return [
            MemoryGroup(version, mount / _within(path, root), mount)
            for version, mount, root in map(_hierarchy, mounts)
            if version is not None
            for number, controllers, path in groups
            if (number == "0" if version == 2 else "memory" in controllers.split(","))
        ]
    return []


def _hierarchy(mount: list[str]) -> tuple[Literal[1, 2] | None, Path, str]:
    """Its version if it may count memory, where it is mounted, and which of its folders that is."""
    root, place, end = mount[3], Path(mount[4]), mount.index("-")
    kind, options = mount[end + 1], mount[-1].split(",")
    if kind == "cgroup2":
        return 2, place, root
    return (1 if kind == "cgroup" and "memory" in options else None), place, root


def _within(path: str, root: str) -> PurePosixPath:
    """The group's path below what is mounted; the mount itself where the path is of another view."""
    group = PurePosixPath(os.path.normpath(path))
    return group.relative_to(root) if group.is_relative_to(root) else PurePosixPath()


def _number(file: Path, key: str) -> int:
    with suppress(OSError, ValueError):
        for line in file.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return int(value)
    return 0
