"""`python -m api`: serves the API on KD_HOST and KD_PORT until SIGINT or SIGTERM."""

from __future__ import annotations

import gc
import sys

import uvicorn
from fastapi import FastAPI

from api.main import create_app
from jobs.settings import Settings, SettingsError

_GRACE_SECONDS = 10  # for downloads that are under way; they can be resumed by range


def main() -> int:
    try:
        settings = Settings()
    except SettingsError as error:
        sys.stderr.write(f"cannot start: {error}\n")
        return 2
    serve(create_app(settings), settings)
    return 0


def serve(app: FastAPI, settings: Settings) -> None:
    """Serves `app` until SIGINT or SIGTERM."""
    # What was imported stays: a collector that walks through it all stops every request for 70 ms, again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,  # a line for every poll of a job would bury all others
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


if __name__ == "__main__":
    sys.exit(main())
