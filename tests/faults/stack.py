"""The whole service as processes of this campaign's own: Redis, a database, the api and workers, each at hand to break.

Everything listens on loopback or in a temporary folder; nothing is left behind.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import psutil

from jobs.artifacts import ArtifactStore, open_store
from jobs.auth import Scope, new_key
from jobs.database import Database
from jobs.settings import Settings, variable
from jobs.tables import Job
from standalone.guard import Guard
from standalone.redis_server import RedisServer
from standalone.service import free_port
from tests.faults.server import Server
from tests.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
DatabaseKind = Literal["sqlite", "postgresql"]
# The service's own defaults shortened, in the same proportions, so that a fault is over in seconds.
_TIMES: dict[str, float] = {
    "lease_seconds": 6,
    "stop_after_seconds": 4,
    "heartbeat_seconds": 1,
    "reap_seconds": 0.5,
    "look_seconds": 0.5,
    "cancel_grace_seconds": 5,
    "checkpoint_seconds": 0.3,
}
_CLIENT_SECONDS = 10.0
USER = "user"


@dataclass
class Stack:
    """A running service.

    Attributes:
        accepted: the ids of all jobs that a POST was answered for with 201.
        faults: what was injected, by kind.
        keys: of owners, by their name; empty where no key is asked for.
    """

    settings: Settings
    database: Database
    store: ArtifactStore
    postgres: Postgres | None
    redis: Server
    api: Server
    workers: list[Server]
    url: str
    accepted: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def headers(self, owner: str = USER) -> dict[str, str]:
        """What `owner` sends with every request."""
        return {"Authorization": f"Bearer {self.keys[owner]}"} if self.keys else {}

    def client(self, owner: str = USER) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers(owner), timeout=_CLIENT_SECONDS, trust_env=False)

    def count(self, fault: str) -> None:
        """Notes that a fault was injected."""
        self.faults[fault] = self.faults.get(fault, 0) + 1

    def submit(self, spec: dict[str, Any], seconds: float = 60.0, owner: str = USER) -> str:
        """Posts a job as a careful client does: the same key again until there is an answer."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        deadline = time.monotonic() + seconds
        with self.client(owner) as client:
            while True:
                try:
                    answer = client.post("/jobs", json=spec, headers=headers)
                except httpx.TransportError:
                    answer = None
                if answer is not None and answer.status_code == 201:
                    job_id: str = answer.json()["id"]
                    self.accepted.append(job_id)
                    return job_id
                assert answer is None or answer.status_code in {500, 503}, answer.text
                assert time.monotonic() < deadline, f"no answer to POST /jobs: {self.api.tail()}"
                time.sleep(0.2)

    def job(self, job_id: str) -> Job:
        """The job as the database has it."""
        with self.database.read() as repository:
            return repository.get(job_id)

    def until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Waits for `condition`; an error of the database while it is down counts as no."""
        deadline = time.monotonic() + seconds
        while not quietly(condition):
            assert time.monotonic() < deadline, f"waited {seconds:g} s: {what}"
            time.sleep(0.05)

    def wait_ended(self, *job_ids: str, seconds: float = 300.0) -> None:
        """Until these jobs (all accepted ones by default) have ended."""
        waited = job_ids or tuple(self.accepted)
        self.until(
            lambda: all(self.job(job_id).state.terminal for job_id in waited), seconds, f"the end of {len(waited)} jobs"
        )

    def trainers(self, job_id: str | None = None) -> list[psutil.Process]:
        """Trainer processes of this service (of one of its jobs), those that have ended left out."""
        below = str(self.settings.runs_dir if job_id is None else self.settings.runs_dir / job_id)
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            line = process.info["cmdline"] or []
            if "worker.attempt.trainer_main" in line and process.info["status"] != psutil.STATUS_ZOMBIE:
                found += [process] if any(part.startswith(below) for part in line) else []
        return found


def quietly(condition: Callable[[], bool]) -> bool:
    """What `condition` says; no while what it asks is down."""
    from sqlalchemy.exc import DBAPIError

    try:
        return condition()
    except (DBAPIError, httpx.TransportError, psutil.NoSuchProcess):
        return False


@contextmanager
def running_stack(
    folder: Path,
    kind: DatabaseKind = "sqlite",
    *,
    workers: int = 1,
    owners: Mapping[str, dict[str, int]] | None = None,
    **settings: Any,
) -> Iterator[Stack]:
    """The service, ready to take jobs.

    Args:
        folder: its home, on a file system with room.
        owners: who has a key, with their own quotas. Left out: no key is asked for.
        settings: of `Settings`, beside the shortened times.
    """
    with ExitStack() as exits:
        guard = Guard()
        exits.callback(guard.close)
        postgres = None
        if kind == "postgresql":
            postgres = Postgres(durable=True)
            exits.callback(postgres.close)
            settings["database_url"] = postgres.create("distillery")
        redis = exits.enter_context(RedisServer(folder / "redis"))
        chosen = {
            "home": folder, "host": "127.0.0.1", "port": free_port("127.0.0.1", 0), "broker_url": redis.url,
            "threads": 1, "download": False, **_TIMES, **settings,
        }  # fmt: skip
        keyed = {owner: new_key(owner, [Scope.READ, Scope.SUBMIT]) for owner in owners or {}}
        entries = [
            entry.model_dump(mode="json") | {"quota": (owners or {})[owner]} for owner, (_, entry) in keyed.items()
        ]
        known = Settings(**chosen, api_keys=entries)
        chosen |= {"api_keys": json.dumps(entries)} if entries else {}
        env = _environment(known, chosen)
        database = Database(known.database_url)
        exits.callback(database.dispose)
        database.migrate()
        url = f"http://127.0.0.1:{known.port}"
        (folder / "logs").mkdir()

        def server(name: str, *command: str, ready: Callable[[], bool] = lambda: True) -> Server:
            made = Server(name, command, env, folder / "logs" / f"{name}.log", guard, ready)
            exits.callback(made.clear_away)
            made.start()
            return made

        stack = Stack(
            settings=known,
            database=database,
            store=open_store(known),
            postgres=postgres,
            redis=server("redis", *redis.program(env).command, ready=redis.ping),
            api=server("api", sys.executable, "-m", "api", ready=lambda: _answers(url)),
            workers=[server(f"worker-{number}", sys.executable, "-m", "worker") for number in range(workers)],
            url=url,
            keys={owner: key for owner, (key, _) in keyed.items()},
        )
        stack.redis.wait_ready()
        stack.api.wait_ready()
        stack.until(lambda: _seen(database) >= workers, 60, "the workers' first beats")
        yield stack


def _environment(known: Settings, chosen: dict[str, Any]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KD_")}
    given = {variable(name): str(value) for name, value in chosen.items()}
    path = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
    return kept | given | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _seen(database: Database) -> int:
    with database.read() as repository:
        return len(repository.workers_seen(60))
