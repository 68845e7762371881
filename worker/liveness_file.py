"""Liveness: whether a worker is alive, for health checks that restart it: `python -m worker.liveness_file`.

A worker touches KD_PULSE_FILE as often as it renews its claims, whether the database answers or not. Nothing but the
standard library is loaded here, since this is asked every few seconds.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

_LATE = 6  # so many intervals without a touch: a step of the same thread may wait for the database that long


def touch(file: Path, interval_seconds: float) -> None:
    """Says that this worker is alive, and how soon it will say so again."""
    file.write_text(f"{interval_seconds:g}\n")


def check(file: Path) -> str | None:
    """What is wrong; None when the worker is alive."""
    try:
        age, interval = time.time() - file.stat().st_mtime, float(file.read_text())
    except (OSError, ValueError):
        return f"no worker has written {file} yet"
    if age > _LATE * interval:
        return f"the worker wrote {file} {age:.0f} s ago, and should every {interval:g} s"
    return None


def main() -> str | None:
    """What to exit with."""
    file = os.environ.get("KD_PULSE_FILE")
    if not file:
        return "KD_PULSE_FILE is not set: it names the file that the worker touches"
    return check(Path(file))


if __name__ == "__main__":
    sys.exit(main())
