"""The child: runs the engine on one attempt's request, in a process group of its own. Knows no database and no broker.

    python -m worker.attempt.trainer_main FOLDER

reads `request.json` in FOLDER and appends events to `events.jsonl`. SIGTERM asks it to write a checkpoint and end. Its
standard input is a lifeline: when the supervisor's end closes, for whatever reason, the whole group dies at once. One
that is stopped cannot read it; the kernel then kills it with its supervisor.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

from kd_engine.platform.files import DISK_FULL
from kd_engine.platform.parent_death import die_with_parent
from kd_engine.runs.request import RunRequest
from worker.attempt.event_log import log_event

NO_ROOM_STATUS = 28  # any that Python does not use


def main(folder: Path) -> int:
    """Runs the request; 0 when a `Finished` event was written, whatever it says."""
    die_with_parent()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the supervisor's to handle
    threading.Thread(target=_die_with_supervisor, daemon=True).start()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    spec, options = RunRequest.read(folder)
    from kd_engine.runs.entry import run  # after the signal handlers: importing torch takes a second

    try:
        run(spec, options, emit=log_event, should_stop=stop.is_set)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        return NO_ROOM_STATUS  # not even for the event that says so
    return 0


def _die_with_supervisor() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
