"""`python -m worker`: one worker process, with its settings from KD_* variables."""

from __future__ import annotations

import logging
import sys

from jobs.settings import Settings, SettingsError
from worker.app import WorkerProcess


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        process = WorkerProcess(Settings())
    except SettingsError as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    process.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
