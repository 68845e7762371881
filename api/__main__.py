"""`python -m api`: serves the API on KD_HOST and KD_PORT until SIGINT or SIGTERM. `python -m api new-key`: a key."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress

from fastapi import FastAPI

from api.app.create import create_app
from api.app.new_key import run_command
from api.server.limits import raise_descriptors
from api.server.uvicorn_server import make_server
from jobs.artifacts import open_store
from jobs.home import prepare
from jobs.settings import Settings, SettingsError
from jobs.telemetry import logs

_NOT_STARTED = 3  # as uvicorn itself says it


def main() -> int:
    if len(sys.argv) > 1:
        return run_command(sys.argv[1:])
    try:
        settings = Settings()
        logs.configure(settings)
        prepare(settings.home, needed="database_url" not in settings.model_fields_set)
        open_store(settings)  # tried out here as well: within the server, a traceback would bury what is wrong
        app = create_app(settings)
    except SettingsError as error:
        sys.stderr.write(f"cannot start: {error}\n")
        return 2
    return serve(app, settings)


def serve(app: FastAPI, settings: Settings) -> int:
    """Serves `app` until SIGINT or SIGTERM; the status to exit with."""
    # What was imported stays: a collector that walks through it all stops every request for 70 ms, again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
    raise_descriptors()
    server = make_server(app, settings)
    with suppress(KeyboardInterrupt):
        server.run()
    return 0 if server.started else _NOT_STARTED


if __name__ == "__main__":
    sys.exit(main())
