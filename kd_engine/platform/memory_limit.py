"""What this machine, or the container that this process is in, has for all its processes."""

from __future__ import annotations

import os
from contextlib import suppress

from kd_engine.platform.cgroups import memory_groups


def machine_memory() -> int | None:
    """Bytes of memory; None if that cannot be known."""
    limits = [limit for group in memory_groups() if (limit := group.limit()) is not None]
    with suppress(ValueError, OSError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(limits, default=None)
