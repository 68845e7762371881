"""Small things that the tests of this room share: programs to supervise, and whether a process is gone."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from standalone.child import Program

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90.0  # seconds; only a failing test waits so long


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits for `condition`; fails the test when it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has collected yet has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.parent.parent.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def program(name: str, code: str, *, grace_seconds: float = 10.0, ready: Callable[[], bool] | None = None) -> Program:
    """A Python program of a few lines."""
    return Program(name, (sys.executable, "-c", code), dict(os.environ), ready=ready, grace_seconds=grace_seconds)


# Each writes its pid (and that of its own child) to the file NAME.pid in the folder {folder}.
SLEEPER = """
import os, pathlib, time
pathlib.Path({folder!r}, "{name}.pid").write_text(str(os.getpid()))
print("{name} is up", flush=True)
time.sleep(1000)
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEPER
PARENT = (
    """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
pathlib.Path({folder!r}, "{name}-child.pid").write_text(str(child.pid))
"""
    + SLEEPER
)


def tiny(code: str, name: str, folder: Path, grace_seconds: float = 10.0) -> Program:
    """One of the programs above; it is ready when it has written its pid."""
    filled = code.format(name=name, folder=str(folder))
    return program(name, filled, grace_seconds=grace_seconds, ready=lambda: pid_of(folder, name) is not None)


def pid_of(folder: Path, name: str) -> int | None:
    try:
        return int((folder / f"{name}.pid").read_text() or 0) or None
    except FileNotFoundError:
        return None


def known_pid(folder: Path, name: str) -> int:
    pid = pid_of(folder, name)
    assert pid is not None, f"{name} never wrote its pid"
    return pid
