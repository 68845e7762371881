"""One process of a run on several devices, started by `launcher.py`:

    python -m kd_engine.runs.rank_main FOLDER RANK SIZE REPORTS

It reads the request in FOLDER and reports to the file descriptor REPORTS, an event a line: the first process all of
them, the others how they ended. Its standard input is its lifeline and brings the wish to stop; signals that reach the
whole group are the parent's to handle.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

from kd_engine.platform.parent_death import die_with_parent
from kd_engine.runs.request import RunRequest

STOP = b"s"


def main(folder: Path, rank: int, size: int, reports: int) -> int:
    """Does this process's part of the request; 0 when it reported how that ended, whatever it says."""
    die_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    stop = threading.Event()
    threading.Thread(target=_listen, args=(stop,), daemon=True).start()
    level = logging.INFO if rank == 0 else logging.WARNING
    logging.basicConfig(level=level, format=f"%(asctime)s %(levelname)s %(name)s (process {rank + 1}): %(message)s")
    spec, options = RunRequest.read(folder)
    from kd_engine.distributed.world import ProcessInfo
    from kd_engine.runs.work import work

    process = ProcessInfo(rank, size, f"file://{folder / 'rendezvous'}")
    with os.fdopen(reports, "w", buffering=1) as lines:
        finished = work(
            spec,
            options,
            process,
            emit=lambda event: print(event.model_dump_json(), file=lines),
            should_stop=stop.is_set,
        )
        print(finished.model_dump_json(), file=lines)
    return 0


def _listen(stop: threading.Event) -> None:
    while heard := os.read(sys.stdin.fileno(), 1):
        if heard == STOP:
            stop.set()
    os._exit(1)  # whoever started this process is gone; nobody would hear how it ends


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
