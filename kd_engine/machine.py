"""What this machine, or the container that this process is in, has for all its processes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

# What a container may use, in the two versions of control groups.
_MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def machine_memory() -> int | None:
    """Bytes of memory; None if that cannot be known."""
    limits = []
    with suppress(ValueError, OSError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for file in _MEMORY_LIMITS:
        with suppress(ValueError, OSError):  # "max": no limit
            limits.append(int(file.read_text()))
    return min(limits, default=None)
