"""Memory-mapped arrays, as memory that may be written to: torch wants that. The files stay as they are."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mapped(path: Path) -> NDArray[Any]:
    """The array of an `.npy` file, mapped: it is read as it is needed, and may be larger than the memory.

    Raises:
        OSError, ValueError: it cannot be read, or is no such file; nothing is unpickled.
    """
    _allow(path.stat().st_size)
    return np.load(path, mmap_mode="c", allow_pickle=False)  # type: ignore[no-any-return]


def _allow(size: int) -> None:
    """Raises the limit of this process's data, if it has one: it counts a file that is mapped in this way as memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if soft != resource.RLIM_INFINITY:
        raised = soft + size
        resource.setrlimit(
            resource.RLIMIT_DATA, (raised if hard == resource.RLIM_INFINITY else min(raised, hard), hard)
        )
