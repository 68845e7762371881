"""The server: uvicorn, with bounds on what a connection may cost."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from api.server.connections import Connections
from api.server.limits import Limits, most_connections
from api.server.protocol import BoundedProtocol
from jobs.settings import Settings

_GRACE_SECONDS = 10  # for downloads that are under way; they can be resumed by range
_TICKS = 10  # of a tenth of a second


class Server(uvicorn.Server):
    """Ends open event streams first when it stops; it would wait for them otherwise, and they for their jobs."""

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self._connections = connections

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS == 0:
            self._connections.check(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        assert isinstance(self.config.app, FastAPI)
        self.config.app.state.context.change_notifier.wake_all()
        await super().shutdown(sockets)


def make_server(app: FastAPI, settings: Settings, limits: Limits | None = None) -> Server:
    """The server of `app` on KD_HOST and KD_PORT; not started yet."""
    connections = Connections(most_connections(settings.max_connections), limits)
    protocol = cast("type[asyncio.Protocol]", partial(BoundedProtocol, crowd=connections))
    options: dict[str, Any] = {"http": protocol, "ws": "none", "lifespan": "on"}
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,  # its lines go where all others go
        access_log=False,  # a line for every poll of a job would bury all others
        timeout_graceful_shutdown=_GRACE_SECONDS,
        **options,
    )
    return Server(config, connections)
