"""A whole service in a temporary folder: Redis, the api with its empty endpoints, and a worker when one is wanted."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from distillery import Distillery
from distillery.cli.console import Console
from jobs.artifacts import ArtifactStore, open_store
from jobs.database import Database
from jobs.settings import Settings
from standalone.guard import Guard
from standalone.redis_server import RedisServer
from standalone.service import api_program, environment, free_port, migrate, worker_programs
from standalone.supervisor import Supervisor

_READY_SECONDS = 90.0
_SOON = {"KD_HEARTBEAT_SECONDS": "1"}  # how soon a worker hears that its job is cancelled


@dataclass(frozen=True)
class Service:
    """A running service, with its database and its files at hand to set a stage."""

    settings: Settings
    port: int
    client: Distillery
    supervisor: Supervisor
    database: Database
    store: ArtifactStore

    @property
    def api_pid(self) -> int:
        return self.supervisor.pids["api"]


@contextmanager
def running(
    *, worker: bool, parent: Path | None = None, database_url: str | None = None, told: Mapping[str, str] = _SOON
) -> Iterator[Service]:
    """The service in a new folder in `parent`, until the block ends; nothing of it is left then.

    Args:
        database_url: an empty database; None: a SQLite file in the folder.
        told: settings of its programs, as variables.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KD_")}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="distillery-benchmark-", dir=parent))
        database = {} if database_url is None else {"database_url": database_url}
        settings = Settings(home=Path(folder), host="127.0.0.1", port=0, workers=1, download=False, **database)
        redis = stack.enter_context(RedisServer(settings.home / "redis"))
        supervisor = Supervisor(settings.home / "logs", Console(sys.stderr, show_children=False), Guard())
        stack.enter_context(supervisor)
        port = free_port(settings.host, 0)
        env = environment(kept | dict(told), settings, port=port, broker_url=redis.url)
        migrate(settings)
        url = f"http://{settings.host}:{port}"
        api = replace(api_program(env, url), command=(sys.executable, "-m", "benchmarks.server"))
        supervisor.start([redis.program(env), *(worker_programs(env, settings) if worker else [])])
        supervisor.start([api if worker else replace(api, ready=partial(listens, port))])
        supervisor.wait_ready(_READY_SECONDS)
        stage = Database(settings.database_url)
        stack.callback(stage.dispose)
        client = stack.enter_context(Distillery(url))
        yield Service(settings, port, client, supervisor, stage, open_store(settings))


def listens(port: int) -> bool:
    """Whether the api is up; without a worker it never calls itself ready."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Waits for it; raises TimeoutError after so long."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited for {seconds:g} seconds")
        time.sleep(0.05)
