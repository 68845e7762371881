"""`python -m api`: serves the API on KD_HOST and KD_PORT until SIGINT or SIGTERM. `python -m api new-key`: a key."""

from __future__ import annotations

import gc
import socket
import sys
from contextlib import suppress

import uvicorn
from fastapi import FastAPI

from api.keys import run_command
from api.main import create_app
from jobs import logs
from jobs.artifacts import open_store
from jobs.settings import Settings, SettingsError

_NOT_STARTED = 3  # as uvicorn itself says it
_GRACE_SECONDS = 10  # for downloads that are under way; they can be resumed by range


def main() -> int:
    if len(sys.argv) > 1:
        return run_command(sys.argv[1:])
    try:
        settings = Settings()
        logs.configure(settings)
        open_store(settings)  # tried out here as well: within the server, a traceback would bury what is wrong
        app = create_app(settings)
    except SettingsError as error:
        sys.stderr.write(f"cannot start: {error}\n")
        return 2
    return serve(app, settings)


class EndsStreams(uvicorn.Server):
    """Ends open event streams first; it would wait for them otherwise, and they for their jobs."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        assert isinstance(self.config.app, FastAPI)
        self.config.app.state.context.watcher.wake_all()
        await super().shutdown(sockets)


def serve(app: FastAPI, settings: Settings) -> int:
    """Serves `app` until SIGINT or SIGTERM; the status to exit with."""
    # What was imported stays: a collector that walks through it all stops every request for 70 ms, again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,  # its lines go where all others go
        access_log=False,  # a line for every poll of a job would bury all others
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = EndsStreams(config)
    with suppress(KeyboardInterrupt):
        server.run()
    return 0 if server.started else _NOT_STARTED


if __name__ == "__main__":
    sys.exit(main())
