"""`python -m worker`: one worker process, with its settings from KD_* variables."""

from __future__ import annotations

import os
import sys

from jobs.errors import SchemaTooNew
from jobs.home import prepare
from jobs.settings import Settings, SettingsError
from jobs.telemetry import logs
from worker.app import WorkerProcess


def main() -> int:
    try:
        settings = Settings()
        logs.configure(settings)
        prepare(settings.home, needed="database_url" not in settings.model_fields_set)
        process = WorkerProcess(settings)
    except SettingsError as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    if settings.log_format == "json":
        _close_standard_output()
    try:
        process.run()
    except SchemaTooNew as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    return 0


def _close_standard_output() -> None:
    """Celery's banner and its words at the end go there, past all logging and for people; nothing else does."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.__stdout__.fileno() if sys.__stdout__ else 1)


if __name__ == "__main__":
    sys.exit(main())
