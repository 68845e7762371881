"""A supervisor with two small programs, to be killed: `python -m tests.standalone.tiny_service HOME`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from distillery.cli.console import Console
from standalone.guard import Guard
from standalone.lock import HomeLock
from standalone.supervisor import Supervisor
from tests.standalone.helpers import PARENT, STUBBORN, tiny

if __name__ == "__main__":
    home = Path(sys.argv[1])
    lock = HomeLock(home)
    guard = Guard(keep_open=(lock.fd,), grace_seconds=0.5)
    supervisor = Supervisor(home / "logs", Console(), guard)
    supervisor.start([tiny(PARENT, "parent", home), tiny(STUBBORN, "stubborn", home)])
    supervisor.wait_ready(30)
    (home / "guard.pid").write_text(str(guard.pid))
    while True:
        supervisor.tick()
        time.sleep(0.05)
