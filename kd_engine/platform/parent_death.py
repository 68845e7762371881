"""A child that does not outlive its parent, even where it is stopped and can notice nothing."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """From now on the kernel kills this process when the thread that started it ends; on Linux alone.

    Call it in a child whose parent starts it from a thread that waits for it. A parent that is gone by then goes
    unnoticed: a lifeline (a pipe that the child reads) sees that, and all of it on other systems.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
